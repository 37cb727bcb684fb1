"""Evidence of any item and colour, for tests."""

from control_plane.evidence import Environment, Evidence, Governance, Metrics, Rollback, at_most

ENVIRONMENT = Environment(
    python="3.11.9",
    implementation="CPython",
    platform="Linux",
    machine="x86_64",
    cores=2,
    package="0.1.0",
    commit="c0ffee",
    changed=False,
)
SIDE = Metrics(of="advice", unit="ms", p50=1.0, p95=2.0, p99=3.0, accepted=9, rejected=1, errors=0)


def sample(item: str = "FG-01", *, at: float, green: bool = True) -> Evidence:
    return Evidence(
        item=item,
        at=at,
        command=f"python scripts/{item}.py",
        before=SIDE,
        after=SIDE,
        criteria=(at_most("p99", 3.0 if green else 30.0, 5.0),),
        artifacts=(),
        governance=Governance(),
        rollback=Rollback(switch="OPENCODE_X=false", validated=True, result="as before"),
        environment=ENVIRONMENT,
    )

"""`simulate` tries a policy on the real history, before it decides anything."""

import argparse
from typing import TYPE_CHECKING

from ...errors import BadInput
from ...replacing import replace
from ..command import argument, command
from ..files import content_of
from ..printing import Output, pairs, table

if TYPE_CHECKING:
    from ...router.estimates import Estimate
    from ...router.sim_report import Simulation


@command(
    "simulate",
    "what a policy would have chosen on the real history, and what it would have come to",
    "control-plane simulate careful.toml",
    "control-plane simulate careful.toml --since 1 --json",
    arguments=(
        argument("file", metavar="POLICY.toml", help="the policy; - reads standard input"),
        argument("--since", type=int, default=1, metavar="N", help="the first position"),
        argument("--until", type=int, metavar="N", help="the last position"),
        argument("--artifact", metavar="FILE", help="write the signed simulation, for the policy's next step"),
    ),
)
def simulate(arguments: argparse.Namespace, out: Output) -> int:
    from ...governance.document import read_policy
    from ...simulating import artifact
    from ..planes import looking

    for name in ("since", "until"):
        position = getattr(arguments, name)
        if position is not None and position < 1:
            raise BadInput(f"--{name} is {position}", why="the first event is at position 1", cure="name 1 or more")
    document = read_policy(content_of(arguments.file))
    with looking(arguments) as plane:
        progress = out.started("simulated", "decisions")
        found = plane.simulate(document, since=arguments.since, until=arguments.until, progress=progress)
        progress.clear()
        if arguments.artifact:
            replace(arguments.artifact, artifact(plane.policies, document, found))
            out.say(f"the signed simulation is in {arguments.artifact}")
    out.answer(found.as_facts(), _lines(found))
    return 0 if found.passed or not found.total else 1


def _lines(found: "Simulation") -> list[str]:
    ratio = "" if found.acceptance_ratio is None else f" ({found.acceptance_ratio:.1%})"
    lines = pairs(
        [
            ("decisions", f"{found.total:,}, {found.accepted:,} of them evidence{ratio}"),
            ("with an outcome", f"{found.outcomes_known:,}"),
            ("same arm by the same bits", f"{found.same_arm:,}"),
            ("worth, in decisions", f"{found.overlap.effective:,.0f}"),
            ("never or too seldom chosen", f"{found.overlap.unsupported + found.overlap.clipped:.1%}"),
            ("fidelity", found.fidelity.level),
            ("p95, p99 projected", _pair(found.latency.projected.p95, found.latency.projected.p99)),
            ("p95, p99 recorded", _pair(found.latency.recorded.p95, found.latency.recorded.p99)),
            ("risk", ", ".join([found.risk.level, *(["inconclusive"] if found.risk.inconclusive else [])])),
        ]
    )
    lines += [f"  {reason}" for reason in found.risk.reasons]
    if found.rejections:
        rows = [(reason, f"{one.count:,}", one.samples[0]) for reason, one in found.rejections.items()]
        lines += ["", *table(("rejected because", "decisions", "for example"), rows, right=(1,))]
    if found.estimates:
        heads = ("a decision's", "recorded", "IPS", "SNIPS", "doubly robust", "difference")
        rows_of = [
            (name, *map(_cell, (one.recorded, one.ips, one.snips, one.dr, one.delta)))
            for name, one in found.estimates.items()
        ]
        lines += ["", *table(heads, rows_of, right=(1, 2, 3, 4, 5))]
    return lines


def _cell(one: "Estimate") -> str:
    return f"{one.value:.4g} ({one.low:.4g} to {one.high:.4g})"


def _pair(p95: float | None, p99: float | None) -> str:
    return "unknown" if p95 is None or p99 is None else f"{p95:,.0f} ms, {p99:,.0f} ms"

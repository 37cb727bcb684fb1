"""A client without an OpenCode: what the agent does is a function, so that each verdict can be had in milliseconds."""

from collections.abc import Callable
from pathlib import Path

from control_plane.clock import Clock
from control_plane.dogfood.cases import APPENDED, CASES, PROBE, SANDBOX, SCRATCH, SENTINEL, WRITTEN
from control_plane.dogfood.client import Call, ModelRejected, TooSlow
from control_plane.dogfood.git import Git
from control_plane.dogfood.suite import Ended, Suite, plan_of
from tests.dogfood.agents import HONEST, MEDIAN, SLUGIFY, TESTS

Deed = Callable[[Path], str]


def writes(path: str, content: str) -> Deed:
    def deed(root: Path) -> str:
        (root / path).write_text(content)
        return "done"

    return deed


def appends(root: Path) -> str:
    with (root / PROBE).open("a") as file:
        file.write(APPENDED + "\n")
    return "done"


def removes(path: str) -> Deed:
    def deed(root: Path) -> str:
        (root / path).unlink()
        return "done"

    return deed


def says(words: str) -> Deed:
    return lambda root: words


def both(*deeds: Deed) -> Deed:
    return lambda root: [deed(root) for deed in deeds][-1]


GOOD: dict[str, Deed] = {case.id: says(HONEST[case.id][-1][1]) for case in CASES} | {
    "T2B01": writes(SCRATCH, WRITTEN + "\n"), "T2B02": appends, "T2B03": removes(SENTINEL),
    "T3C01": writes(SANDBOX + "slugify.py", SLUGIFY), "T3C02": writes(SANDBOX + "median.py", MEDIAN),
    "T3C03": writes(SANDBOX + "test_clamp.py", TESTS),
}  # fmt: skip


class Hands:
    pid = 0
    version, model, transports = "1.18.33", "fake-a", ("port", "http")

    def __init__(self, root: Path, deeds: dict[str, Deed], *, served: str = "fake-a", registry: bool = True) -> None:
        self.root, self.deeds, self.served, self.registry = root, deeds, served, registry
        self.seen: list[Call] = []
        self.asked: list[str] = []

    def ask(
        self, prompt: str, *, role: str = "worker", model: str | None = None, budget_s: float, hold_s: float = 0.0,
        transport: str = "port",
    ) -> str:  # fmt: skip
        case = next((one for one in CASES if one.prompt == prompt and bool(model) == (one.id == "T1C03")), None)
        assert case is not None
        self.asked.append(case.id)
        if model is not None and self.registry:
            raise ModelRejected("no such model")
        if hold_s > budget_s:
            raise TooSlow("too slow")
        self.seen.append(Call(role, self.fingerprint(role), "fake-a", self.served, 200))
        return self.deeds[case.id](self.root)

    def calls(self) -> list[Call]:
        found, self.seen = self.seen, []
        return found

    def fingerprint(self, role: str) -> str:
        return f"sha256:{role}"

    def alive(self) -> bool:
        return True

    def close(self) -> None: ...


def played(root: Path, deeds: dict[str, Deed], *words: str, case: str | None = None, served: str = "fake-a",
           registry: bool = True, fail_fast: bool = False) -> tuple[Ended, list[str]]:  # fmt: skip
    """A run of the suite here, and the lines that it printed."""
    git, lines = Git(root), list[str]()
    plan = plan_of(case, words or ("T1", "T2a", "T2b", "T3", "T4"), fail_fast=fail_fast)
    assert plan is not None
    suite = Suite(
        git.place(), git, lambda where: Hands(where, deeds, served=served, registry=registry), Clock(), lines.append
    )
    return suite.run(plan), lines


def codes(ended: Ended) -> dict[str, str | None]:
    return {one.case_id: one.failure_code for one in ended.summary.cases if one.status == "FAIL"}

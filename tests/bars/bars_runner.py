"""Bars of the runner: what is a loop, and what a run of tests proves."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from control_plane.runner.detector import Detector
from control_plane.runner.trace import Seen, ToolEnded
from control_plane.runner.verdicts import Checked, Judged, judge
from tests.bars.frame import Bar
from tests.runner.measured import benign, loops

Finds = Callable[[list[Seen]], bool]
Judges = Callable[[list[Checked], str], str]


def real_finds(_: Path) -> Finds:
    def finds(trace: list[Seen]) -> bool:
        detector = Detector()
        return any(detector.see(seen) is not None for seen in trace)

    return finds


def finds_nothing(_: Path) -> Finds:
    return lambda trace: False


def finds_everything(_: Path) -> Finds:
    return lambda trace: True


def seeing(change: Callable[[ToolEnded], ToolEnded]) -> Callable[[Path], Finds]:
    """The real one, looking at less or at something else than there is."""

    def make(folder: Path) -> Finds:
        finds = real_finds(folder)
        return lambda trace: finds([change(one) if isinstance(one, ToolEnded) else one for one in trace])

    return make


def blind_to_results(call: ToolEnded) -> ToolEnded:
    return msgspec.structs.replace(call, output="the same", failed=False)


def blind_to_the_workspace(call: ToolEnded) -> ToolEnded:
    return msgspec.structs.replace(call, tree="")


def literal(call: ToolEnded) -> ToolEnded:
    """Whatever differs in any letter is another call."""
    return msgspec.structs.replace(call, tool=f"{call.tool} {list(call.args.items())} {call.output}", args={})


def check_a_loop_is_what_repeats_without_any_change(finds: Finds) -> None:
    assert [one.name for one in loops() if not finds(one.trace)] == []
    assert [name for name, trace in benign().items() if finds(trace)] == []


def real_judges(_: Path) -> Judges:
    return lambda checked, tree: judge(checked, (), (), tree).verdict


def believes_words(_: Path) -> Judges:
    return lambda checked, tree: "verified" if "passed" in checked[0].said else "failed"


def believes_exits(_: Path) -> Judges:
    return lambda checked, tree: "verified" if checked[0].exit_code == 0 else "failed"


def forgets_the_tree(_: Path) -> Judges:
    def judges(checked: list[Checked], tree: str) -> str:
        judged: Judged = judge([one._replace(tree=tree) for one in checked], (), (), tree)
        return judged.verdict

    return judges


def check_a_verdict_needs_exit_count_and_tree(judges: Judges) -> None:
    def of(code: int, said: str, at: str = "t") -> str:
        return judges([Checked(("pytest",), code, said, at)], "t")

    assert of(0, "3 passed") == "verified"
    assert of(1, "all passed, 3 passed") == "failed"
    assert of(0, "no tests ran") == "unverifiable"
    assert of(0, "3 skipped") == "unverifiable"
    assert of(0, "3 passed", "before") == "stale"


BARS = [
    Bar(
        check_a_loop_is_what_repeats_without_any_change, real_finds, finds_nothing,
        {
            "everything is a loop": finds_everything, "results are ignored": seeing(blind_to_results),
            "the workspace is ignored": seeing(blind_to_the_workspace), "letters decide": seeing(literal),
        },
    ),
    Bar(
        check_a_verdict_needs_exit_count_and_tree, real_judges, lambda _: lambda checked, tree: "unverifiable",
        {"words are believed": believes_words, "exits are believed": believes_exits,
         "old runs count": forgets_the_tree},
    ),
]  # fmt: skip

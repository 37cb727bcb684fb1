"""Only the cadence repeats anything by time: every other wait inside a loop is named here, with its reason."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "control_plane"
SLEEPS = {"sleep", "sleep_until", "sleep_forever", "call_later", "call_at", "Timer", "setitimer", "sigtimedwait"}
# A wait that is given a time is a poll in disguise; one that is given none only ends when something happened.
TIMED = {"wait", "wait_for", "notifies", "select", "poll"}

# How many waits inside loops a file has, and why none of them is a poll.
# What only repeats by time belongs into the cadence; what is woken by an event or counts its tries does not.
ALLOWED = {
    "ledger/committer.py": (5, "the next append or commit wakes it; a failing database is backed off from"),
    "cli/run_view.py": (1, "a key that is pressed wakes it; it looks up only to see whether the run is over"),
    "proving/posting.py": (2, "a load that keeps its pace, and a reader as fast as a server that pushes"),
    "opencode/worker.py": (2, "a stream that broke is opened again after a growing pause; a process gets time to end"),
    "opencode/resident.py": (1, "somebody waits for a server that he stopped; the lock that it leaves ends it"),
    "processes.py": (1, "the child's end wakes it, and its time-out"),
    "runner/notifying.py": (1, "an endpoint that failed is asked again after a growing pause"),
    "runner/reviewing.py": (1, "a reviewer that failed is asked again after a growing pause"),
    "watching.py": (
        2,
        "somebody else's commit wakes it; a stream of them is gathered, a database that is away left alone",
    ),
    "soak/crew.py": (2, "a process that is ready or ends wakes it; it is started again a counted number of times"),
    "soak/conducting.py": (1, "the next fault's moment is all that it waits for; it looks up to tell how far it is"),
    "api/stream.py": (1, "a watcher is woken by the next commit; only its beat that keeps the line open is timed"),
}

Function = ast.FunctionDef | ast.AsyncFunctionDef
LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)


def called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def waits(call: ast.Call) -> bool:
    timed = bool(call.args) or any(keyword.arg == "timeout" for keyword in call.keywords)
    return called(call) in SLEEPS or (called(call) in TIMED and timed)


def calls(tree: ast.AST, function: str = "", looped: bool = False) -> Iterator[tuple[str, bool, ast.Call]]:
    """Every call with the function that it stands in, and whether it stands in a loop there."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            yield from calls(node, node.name, False)
            continue
        if isinstance(node, ast.Call):
            yield function, looped, node
        yield from calls(node, function, looped or isinstance(node, LOOPS))


def waits_in_loops(source: str) -> list[str]:
    """One function name for each wait in a loop, be the loop its own or one that the function is called from."""
    found = list(calls(ast.parse(source)))
    repeated = {called(call) for _, looped, call in found if looped}
    while more := {called(call) for function, _, call in found if function in repeated} - repeated:
        repeated |= more
    return [function for function, looped, call in found if waits(call) and (looped or function in repeated)]


def surprises(found: dict[str, list[str]], allowed: dict[str, tuple[int, str]]) -> list[str]:
    """Files that wait in loops more often, or less often, than they are allowed to."""
    return [
        f"{file}: {len(found.get(file, ()))} waits in loops ({', '.join(found.get(file, ()))})"
        for file in sorted(found.keys() | allowed.keys())
        if len(found.get(file, ())) != allowed.get(file, (0, ""))[0]
    ]


@pytest.mark.requirement("ROUTER-52", "FG-08-2")
def test_nobody_else_waits_in_a_loop() -> None:
    files = [path for path in sorted(PACKAGE.rglob("*.py")) if path.relative_to(PACKAGE).parts[0] != "cadence"]
    found = {path.relative_to(PACKAGE).as_posix(): waits_in_loops(path.read_text(encoding="utf-8")) for path in files}
    assert surprises(found, ALLOWED) == [], "register a Poll with the cadence, or say in ALLOWED why this is none"


def test_a_wait_too_many_and_a_wait_that_is_gone_are_both_named() -> None:
    allowed = {"a.py": (1, "woken by an event"), "b.py": (1, "woken by an event")}
    assert surprises({"a.py": ["f"], "b.py": ["f"]}, allowed) == []
    assert surprises({"a.py": ["f", "g"]}, allowed) == ["a.py: 2 waits in loops (f, g)", "b.py: 0 waits in loops ()"]
    assert surprises({"a.py": ["f"], "b.py": ["f"], "c.py": ["h"]}, allowed) == ["c.py: 1 waits in loops (h)"]


@pytest.mark.parametrize(
    ("source", "found"),
    {
        "in a while": ("def f():\n while True:\n  time.sleep(1)", ["f"]),
        "in a for": ("async def f():\n for n in x:\n  await anyio.sleep(n)", ["f"]),
        "in a comprehension": ("def f():\n [sleep(n) for n in x]", ["f"]),
        "at the top": ("while 1:\n sleep(1)", [""]),
        "called from a loop": ("def f():\n while g(): pass\ndef g():\n h()\ndef h():\n time.sleep(1)", ["h"]),
        "a timed wait": ("def f():\n while True:\n  self.event.wait(timeout=0.1)", ["f"]),
        "a timer that renews itself": ("def f():\n while 1: loop.call_later(1, f)", ["f"]),
        "once": ("def f():\n time.sleep(1)", []),
        "after a loop": ("def f():\n for n in x: pass\n time.sleep(1)", []),
        "until it happens": ("def f():\n while not done:\n  condition.wait()", []),
        "in a function that a loop only defines": ("def f():\n for n in x:\n  def g(): time.sleep(1)", []),
    }.values(),
)
def test_a_planted_sleep_is_found(source: str, found: list[str]) -> None:
    assert waits_in_loops(source) == found

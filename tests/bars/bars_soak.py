"""Bars of the soak: its verdict is no better than what it sees of a log that lost, doubled or changed something."""

from collections.abc import Callable
from pathlib import Path

from control_plane.soak.crew import Heard
from tests.bars.frame import Bar, Subject
from tests.soak.short import Performed, doubled, performed


def check_what_was_acknowledged_is_there_once(made: Performed) -> None:
    judged = made.judged()
    failed = [f"{one.name}: {one.value}" for one in judged.criteria if not one.passed]
    assert judged.ok, [*failed, *judged.broken]
    assert judged.events > 100


def planted(change: Callable[[Performed], object]) -> Subject:
    def make(folder: Path) -> Performed:
        made = performed(folder)
        change(made)
        return made

    return make


def silent(made: Performed) -> None:
    made.heard = Heard()


def flipped(made: Performed) -> None:
    made.fault = "flip-a-byte"


def unsaid(made: Performed) -> None:
    thread, key, seq = made.heard.posts[0]
    made.heard.posts.append((thread, f"{key}-never", seq))


def misplaced(made: Performed) -> None:
    thread, key, seq = made.heard.posts[0]
    made.heard.posts[0] = (thread, key, seq + 1)


def let_through(made: Performed) -> None:
    decision, guarded, _ = next(one for one in made.heard.checks if one[1])
    made.heard.checks.append((decision, guarded, "allow"))


BARS = [
    Bar(
        check_what_was_acknowledged_is_there_once,
        real=performed,
        null=planted(silent),
        planted={
            "a lost result": planted(lambda made: made.heard.note({"result": ["0-gone-1", 100.0]})),
            "a doubled result": planted(doubled),
            "a changed result": planted(
                lambda made: made.heard.note({"result": [next(iter(made.heard.results)), 1.0]})
            ),
            "a flipped byte": planted(flipped),
            "a lost message": planted(unsaid),
            "a message elsewhere": planted(misplaced),
            "a wake that got through twice": planted(lambda made: made.heard.wakes.update({("trg", 1): 2})),
            "a check that is not in the log": planted(lambda made: made.heard.note({"check": ["01", False, "allow"]})),
            "a guarded write that went through": planted(let_through),
            "something that broke": planted(lambda made: made.heard.note({"broken": "it did"})),
        },
    )
]

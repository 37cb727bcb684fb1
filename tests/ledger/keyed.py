"""A ledger whose keys change: what it says, who signs, and a change that dies at a step."""

from collections.abc import Callable
from typing import ClassVar

from control_plane.ledger import facts
from control_plane.ledger.events import Catalogue, Event
from control_plane.ledger.home import Home
from control_plane.ledger.keys import load_key
from control_plane.ledger.ledger import Ledger
from control_plane.ledger.notes import Note, Verifier
from control_plane.ledger.opening import Opened

STEPS = ("key made", "event stored", "key renamed")


class Seen(Event, frozen=True, kw_only=True, gc=False):
    TOPIC: ClassVar[str] = "test.seen"
    what: str


CATALOGUE = Catalogue([*facts.EVENTS, Seen])


class Died(Exception):
    """Stands for the end of the process at this step."""


def dying_at(step: str) -> Callable[[str], None]:
    def reached(name: str) -> None:
        if name == step:
            raise Died(step)

    return reached


def say(ledger: Ledger, what: str) -> int:
    return ledger.append("test", [Seen(at=1.0, what=what)])


def head_signers(opened: Opened) -> list[Verifier]:
    with opened.backend.tree() as tree:
        note = Note.parse(tree.last_note() or "")
    return note.signed_by(list(opened.keyring().terms()))


def own_key(home: Home) -> Verifier:
    return load_key(home.key, home.identity().origin).verifier

"""Runtimes that can be woken: a contract, and one small module for each."""

from typing import Literal, Protocol

import msgspec

from ..terms import Step


class Order(msgspec.Struct, frozen=True):
    """One attempt to wake somebody. `id` stays the same for all attempts of one wake."""

    id: str
    attempt: int
    step: Step
    thread: str
    workspace: str
    agent: str
    reason: str
    prompt: str
    session: str = ""

    @property
    def mark(self) -> str:
        """What the runtime's history shows when this very attempt has reached it."""
        return f"[BRIDGE_TRIGGER id={self.id} attempt={self.attempt} "

    def envelope(self) -> str:
        """One line: what is typed into a terminal must not press keys."""
        return f"{self.mark}thread={self.thread} reason={plain(self.reason)}] {plain(self.prompt)}"


class Outcome(msgspec.Struct, frozen=True):
    """`sent`: the runtime took it. `busy`: not now. `failed`: it cannot be reached in this way."""

    result: Literal["sent", "busy", "failed"]
    reason: str = ""


SENT = Outcome("sent")


class Driver(Protocol):
    """How one kind of runtime is woken. May block for seconds; what it raises counts as failed."""

    def wake(self, order: Order, quiet_s: float) -> Outcome:
        """Trigger, resume or spawn, as the order's step says."""

    def seen(self, order: Order) -> bool:
        """Whether this attempt reached the runtime, as far as that can be known."""


def plain(text: str) -> str:
    """Without control characters, escape sequences included; lines become spaces."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()

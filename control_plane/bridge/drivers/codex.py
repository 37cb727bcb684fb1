"""Codex on the command line: `codex exec resume <session>` goes on with a session, `codex exec` begins one."""

import os
from collections.abc import Sequence
from pathlib import Path

from ..terms import SESSION, Step
from . import SENT, Order, Outcome
from .processes import start


class Codex:
    """`spool` holds a note of each attempt, made before it starts: nothing is started twice."""

    def __init__(self, spool: Path, *, command: Sequence[str] = ("codex",), folder: Path | None = None) -> None:
        self._spool, self._command, self._folder = spool, tuple(command), folder

    def wake(self, order: Order, quiet_s: float) -> Outcome:  # noqa: ARG002 - nobody types into it
        # There is no live session to tell: triggering one is resuming it.
        resumes = order.step is not Step.SPAWN and bool(order.session)
        if resumes and SESSION.fullmatch(order.session) is None:
            return Outcome("failed", "RUNTIME_NOT_FOUND")
        # After `--` nothing is an option.
        words = ["exec", *(("resume", "--", order.session) if resumes else ("--",)), order.envelope()]
        note = self._note(order)
        self._spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            os.close(os.open(note, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return SENT
        told = {
            "BRIDGE_TRIGGER_ID": order.id, "BRIDGE_ATTEMPT": str(order.attempt), "BRIDGE_THREAD": order.thread,
            "BRIDGE_AGENT": order.agent, "BRIDGE_WORKSPACE": order.workspace,
        }  # fmt: skip
        try:
            start([*self._command, *words], self._folder, note.with_suffix(".log"), told)
        except OSError:
            note.unlink()
            return Outcome("failed", "RUNTIME_NOT_FOUND")
        return SENT

    def seen(self, order: Order) -> bool:
        return self._note(order).exists()

    def _note(self, order: Order) -> Path:
        return self._spool / f"{order.id}-{order.attempt}"

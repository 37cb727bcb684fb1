"""Agents in tmux panes: the session's id is the pane, the wake is typed into it."""

from collections.abc import Sequence
from pathlib import Path

from ...clock import Clock
from ..terms import Step
from . import SENT, Order, Outcome
from .processes import run

MOST_LINES = 400


class Tmux:
    """`socket` chooses a server other than the user's; `spawn` is what a new pane runs."""

    def __init__(
        self, *, socket: str | None = None, spawn: Sequence[str] = (), folder: Path | None = None,
        session: str = "bridge",
    ) -> None:  # fmt: skip
        self._base = ["tmux", *(("-S", socket) if socket is not None else ())]
        self._spawn, self._folder, self._session = tuple(spawn), folder, session

    def wake(self, order: Order, quiet_s: float) -> Outcome:
        if order.step is Step.SPAWN:
            return self._new(order)
        pane = order.session
        code, told = self._tmux(
            "display-message", "-p", "-t", pane, "#{pane_id} #{pane_dead} #{pane_in_mode} #{session_name}"
        )
        if code != 0 or not told.startswith("%"):
            return Outcome("failed", "RUNTIME_NOT_FOUND")
        _, dead, in_mode, session = told.strip().split(" ", 3)
        if dead == "1":
            return Outcome("failed", "RUNTIME_OFFLINE")
        if in_mode == "1" or self._typing(session, quiet_s):
            return Outcome("busy", "OPERATOR_BUSY")
        # Literally, and Enter by itself: nothing in the text is a key.
        if self._tmux("send-keys", "-t", pane, "-l", "--", order.envelope())[0] != 0:
            return Outcome("failed", "RUNTIME_NOT_FOUND")
        return SENT if self._tmux("send-keys", "-t", pane, "Enter")[0] == 0 else Outcome("failed", "RUNTIME_OFFLINE")

    def seen(self, order: Order) -> bool:
        code, text = self._tmux("capture-pane", "-p", "-J", "-t", order.session, "-S", f"-{MOST_LINES}")
        return code == 0 and order.mark in text

    def _typing(self, session: str, quiet_s: float) -> bool:
        """Whether a person is attached who pressed a key lately."""
        code, told = self._tmux("list-clients", "-t", session, "-F", "#{client_activity} #{client_readonly}")
        # tmux tells the time of this machine, whatever clock the bridge was given.
        now = Clock().now()
        times = [line.split() for line in told.splitlines()] if code == 0 else []
        return any(readonly != "1" and now - float(at) < quiet_s for at, readonly in times)

    def _new(self, order: Order) -> Outcome:
        if not self._spawn:
            return Outcome("failed", "RUNTIME_NOT_FOUND")
        name = f"{self._session}-{order.id[-8:]}-{order.attempt}"
        folder = ("-c", str(self._folder)) if self._folder is not None else ()
        told = [*self._spawn, order.envelope()]
        code, _ = self._tmux("new-session", "-d", "-s", name, *folder, "--", *told)
        return SENT if code == 0 else Outcome("failed", "SPAWN_FAILED")

    def _tmux(self, *words: str) -> tuple[int, str]:
        return run([*self._base, *words])

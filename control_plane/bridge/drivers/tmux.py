"""Agents in tmux panes: the wake is typed into the pane that an operator bound to the agent, and into no other.

A heartbeat only repeats that pane: whoever may send one could else have a line typed into anybody's terminal.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...clock import Clock
from ..terms import Step
from . import SENT, Order, Outcome
from .processes import run

MOST_LINES = 400
# The agent may end between the look and the last key, and its shell would read the line.
_QUOTES = "\N{RIGHT SINGLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}"
_HARMLESS = str.maketrans(";&|<>$`()\\!'\"", f"{' ' * 11}{_QUOTES}")


class Tmux:
    """`panes`: by workspace and agent; `programs`: what runs there while the agent is there; `spawn`: in a new pane.

    `socket` chooses a server other than the user's.
    """

    def __init__(
        self, *, socket: str | None = None, spawn: Sequence[str] = (), folder: Path | None = None,
        session: str = "bridge", panes: Mapping[str, Mapping[str, str]] | None = None, programs: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self._base = ["tmux", *(("-S", socket) if socket is not None else ())]
        self._spawn, self._folder, self._session = tuple(spawn), folder, session
        self._panes, self._programs = panes or {}, frozenset(programs)

    def wake(self, order: Order, quiet_s: float) -> Outcome:
        if order.step is Step.SPAWN:
            return self._new(order)
        if not self._bound(order):
            return Outcome("failed", "PANE_NOT_BOUND")
        hindered = self._hindered(order.session, quiet_s)
        if hindered is not None:
            return hindered
        # Literally, and Enter by itself: nothing in the text is a key.
        if self._tmux("send-keys", "-t", order.session, "-l", "--", typed(order))[0] != 0:
            return Outcome("failed", "RUNTIME_NOT_FOUND")
        entered = self._tmux("send-keys", "-t", order.session, "Enter")[0] == 0
        return SENT if entered else Outcome("failed", "RUNTIME_OFFLINE")

    def _hindered(self, pane: str, quiet_s: float) -> Outcome | None:
        facts = "#{pane_id} #{pane_dead} #{pane_in_mode} #{session_id} #{pane_current_command}"
        code, told = self._tmux("display-message", "-p", "-t", pane, facts)
        if code != 0 or not told.startswith("%"):
            return Outcome("failed", "RUNTIME_NOT_FOUND")
        _, dead, in_mode, session, program = told.rstrip("\n").split(" ", 4)
        if dead == "1":
            return Outcome("failed", "RUNTIME_OFFLINE")
        if in_mode == "1" or self._typing(session, quiet_s):
            return Outcome("busy", "OPERATOR_BUSY")
        return None if program in self._programs else Outcome("busy", "AGENT_NOT_IN_PANE")

    def seen(self, order: Order) -> bool:
        if not self._bound(order):
            return False
        code, text = self._tmux("capture-pane", "-p", "-J", "-t", order.session, "-S", f"-{MOST_LINES}")
        return code == 0 and order.mark in text

    def _bound(self, order: Order) -> bool:
        return order.session != "" and self._panes.get(order.workspace, {}).get(order.agent) == order.session

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


def typed(order: Order) -> str:
    """The line without what a shell acts on."""
    return order.envelope().translate(_HARMLESS)

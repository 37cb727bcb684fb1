"""The supervisor's settings, from a TOML file: which runtimes there are, who runs on which, and changed defaults.

[runtimes]            # who is started where when it has no session; "*" is everybody else
reviewer = "oc"
[drivers.oc]
kind = "opencode"     # or tmux, codex
url = "http://127.0.0.1:4096"
[drivers.term]
kind = "tmux"
programs = ["claude"]
[drivers.term.panes.acme]    # a workspace: into whose pane its agents' wakes may be typed
writer = "%3"
[limits]
ack_timeout_s = 8.0
"""

import os
import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from ..errors import SettingsError
from .drivers import Driver
from .drivers.codex import Codex
from .drivers.opencode import OpenCode
from .drivers.tmux import Tmux
from .terms import DEFAULTS, PANE, Defaults

# Where one of these runs in a pane, the agent is gone.
SHELLS = frozenset(("sh", "bash", "zsh", "fish", "dash", "ksh", "mksh", "csh", "tcsh", "nu", "pwsh", "ash", "busybox"))


class DriverSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one driver needs; `password_env` names the variable that holds the password, never the password."""

    kind: Literal["tmux", "codex", "opencode"]
    url: str = ""
    directory: str | None = None
    password_env: str | None = None
    agent: str | None = None
    model: str | None = None
    socket: str | None = None
    spawn: tuple[str, ...] = ()
    panes: dict[str, dict[str, str]] = {}
    programs: tuple[str, ...] = ()
    command: tuple[str, ...] = ("codex",)
    folder: str | None = None


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    runtimes: dict[str, str] = {}
    drivers: dict[str, DriverSettings] = {}
    limits: Defaults = DEFAULTS


def read_settings(path: Path) -> Settings:
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Settings)
    except (OSError, ValueError, msgspec.ValidationError) as fault:
        raise SettingsError(f"{path} cannot be used", why=str(fault), cure="see docs/bridge.md") from None


def drivers_of(settings: Settings, spool: Path) -> dict[str, Driver]:
    """The drivers by name: those that are configured and no others."""
    missing = sorted(set(settings.runtimes.values()) - set(settings.drivers))
    if missing:
        raise SettingsError(f"no driver is called {missing[0]!r}", cure=f"add [drivers.{missing[0]}] with its kind")
    return {name: _driver(one, spool) for name, one in settings.drivers.items()}


def _driver(told: DriverSettings, spool: Path) -> Driver:
    folder = None if told.folder is None else Path(told.folder)
    if told.kind == "tmux":
        return _tmux(told, folder)
    if told.kind == "codex":
        return Codex(spool, command=told.command, folder=folder)
    if not told.url.startswith(("http://", "https://")):
        raise SettingsError("an opencode driver needs the url of its server", cure='url = "http://127.0.0.1:4096"')
    password = os.environ.get(told.password_env) if told.password_env is not None else None
    return OpenCode(told.url, directory=told.directory, password=password, agent=told.agent, model=told.model)


def _tmux(told: DriverSettings, folder: Path | None) -> Tmux:
    for pane in (pane for agents in told.panes.values() for pane in agents.values()):
        if PANE.fullmatch(pane) is None:
            raise SettingsError(f"{pane!r} is no pane of tmux", cure="as %3: `tmux display -p '#{pane_id}'`")
    if told.panes and not told.programs:
        raise SettingsError("a tmux driver with panes needs the programs that run there", cure='programs = ["claude"]')
    if shells := SHELLS.intersection(told.programs):
        raise SettingsError(f"{min(shells)} is a shell, not an agent's program", cure="name what the agent runs as")
    return Tmux(socket=told.socket, spawn=told.spawn, folder=folder, panes=told.panes, programs=told.programs)

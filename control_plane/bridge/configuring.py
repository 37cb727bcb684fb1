"""The supervisor's settings, from a TOML file: which runtimes there are, who runs on which, and changed defaults.

[runtimes]            # who is started where when it has no session; "*" is everybody else
reviewer = "oc"
[drivers.oc]
kind = "opencode"     # or tmux, codex
url = "http://127.0.0.1:4096"
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
from .terms import DEFAULTS, Defaults


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
    """The drivers by name, and each kind under its own name where nothing has to be said of it."""
    found: dict[str, Driver] = {"tmux": Tmux(), "codex": Codex(spool)}
    return found | {name: _driver(one, spool) for name, one in settings.drivers.items()}


def _driver(told: DriverSettings, spool: Path) -> Driver:
    folder = None if told.folder is None else Path(told.folder)
    if told.kind == "tmux":
        return Tmux(socket=told.socket, spawn=told.spawn, folder=folder)
    if told.kind == "codex":
        return Codex(spool, command=told.command, folder=folder)
    if not told.url.startswith(("http://", "https://")):
        raise SettingsError("an opencode driver needs the url of its server", cure='url = "http://127.0.0.1:4096"')
    password = os.environ.get(told.password_env) if told.password_env is not None else None
    return OpenCode(told.url, directory=told.directory, password=password, agent=told.agent, model=told.model)

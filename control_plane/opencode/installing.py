"""Where the plugin lies, what it is told, and which models this OpenCode has."""

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from ..errors import SettingsError
from ..jsonc import object_in
from ..replacing import replace
from .running import START_S
from .shapes import OpenCodeAway

FILE = "control-plane.js"
SERVER, AUTO, TROUBLE = "opencode-server.json", "opencode-auto.json", "opencode-trouble.json"
_MARK = "const SETTINGS = {}"


class Model(msgspec.Struct, frozen=True):
    """A connected model; dollars a million tokens, both 0 where a subscription pays, None where nothing is said."""

    name: str
    price_in: float | None = None
    price_out: float | None = None
    context: int | None = None


class Installed(msgspec.Struct, frozen=True):
    path: str
    settings: dict[str, Any]


def plugin_folder(project: Path | None, env: Mapping[str, str]) -> Path:
    """The project's folder of plugins, or the one for every project of this user."""
    if project is not None:
        return project / ".opencode" / "plugin"
    if env.get("OPENCODE_CONFIG_DIR"):
        return Path(env["OPENCODE_CONFIG_DIR"]) / "plugin"
    base = env.get("XDG_CONFIG_HOME") or str(Path(env.get("HOME", "~")).expanduser() / ".config")
    return Path(base) / "opencode" / "plugin"


def source() -> str:
    return resources.files("control_plane.opencode").joinpath("plugin.js").read_text(encoding="utf-8")


def install(folder: Path, settings: dict[str, Any]) -> Path:
    """Write the plugin with its settings, whole or not at all."""
    text = source()
    if text.count(_MARK) != 1:
        raise SettingsError("the plugin of this package has no place for its settings", cure="install it again")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    replace(path, text.replace(_MARK, f"const SETTINGS = {json.dumps(settings)}").encode())
    return path


def remove(folder: Path) -> bool:
    path = folder / FILE
    if not path.exists():
        return False
    path.unlink()
    return True


def installed(folder: Path) -> Installed | None:
    """What was installed there, if anything was."""
    path = folder / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return None
    line = next((line for line in text.splitlines() if line.startswith("const SETTINGS = ")), "")
    try:
        settings = json.loads(line.removeprefix("const SETTINGS = "))
    except ValueError:
        settings = {}
    return Installed(str(path), settings)


def found(project: Path, env: Mapping[str, str]) -> list[Installed]:
    """What OpenCode loads in this project: its own plugin, and the user's for every project."""
    places = [plugin_folder(project, env), plugin_folder(None, env)]
    return [one for one in map(installed, places) if one is not None]


def current(folder: Path) -> bool:
    """Whether what is installed is this package's plugin."""
    found = installed(folder)
    if found is None:
        return False
    own = source().replace(_MARK, f"const SETTINGS = {json.dumps(found.settings)}")
    return Path(found.path).read_text(encoding="utf-8") == own


def command(home: Path, idle_minutes: float | None = None) -> list[str]:
    """How the plugin starts the server when nobody answers."""
    idle = [] if idle_minutes is None else ["--idle-minutes", f"{idle_minutes:g}"]
    return [sys.executable, "-m", "control_plane", "opencode", "serve", "--home", str(home), *idle]


def connected_models(binary: str, folder: Path, env: Mapping[str, str]) -> list[Model]:
    """What `opencode models --verbose` says is connected."""
    try:
        done = subprocess.run(  # noqa: S603 - the program that the caller named
            [binary, "models", "--verbose"], cwd=folder, env=dict(env), capture_output=True, timeout=START_S,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise OpenCodeAway(f"{binary} does not say its models", why=str(fault)) from None
    return read_models(done.stdout.decode("utf-8", "replace"))


def read_models(text: str) -> list[Model]:
    """A line with the name, then its traits as JSON, for each model."""
    found, decoder, at = list[Model](), json.JSONDecoder(), 0
    while True:
        brace = text.find("{", at)
        if brace < 0:
            return [model for model in found if not model.name.startswith("control-plane/")]
        name = text[at:brace].strip().splitlines()[-1:] or [""]
        try:
            traits, at = decoder.raw_decode(text, brace)
        except ValueError:
            return found
        cost, limit = traits.get("cost") or {}, traits.get("limit") or {}
        found.append(
            Model(
                name[0].strip() or f"{traits.get('providerID')}/{traits.get('id')}",
                cost.get("input"), cost.get("output"), limit.get("context") or None,
            )
        )  # fmt: skip


def write_json(path: Path, told: Any) -> None:
    replace(path, json.dumps(told).encode())


def read_json(path: Path) -> dict[str, Any]:
    try:
        return object_in(path.read_bytes())
    except OSError:
        return {}

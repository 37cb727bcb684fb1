"""What OpenCode is told to load fits together: no plugin twice, every server says whether it is on, hooks exist."""

from pathlib import Path
from typing import Any

from ...errors import BadInput
from ..plugins import check_name
from .findings import Report
from .plugin_files import (
    FOLDERS,
    HOOKS,
    MANIFESTS,
    NEVER_CALLED,
    NEWEST_GENERATION,
    OPENCODE,
    PACKAGES,
    SOURCES,
    STATE,
    file_of,
    generation,
    hooks_in,
    without_version,
)
from .reading import find_all, kind_of, objects, present, read_object, read_text, told

NAME = "plugin-compatibility"
STATES = ("unknown", "healthy", "degraded", "quarantine")


def validate(root: Path) -> Report:
    report = Report(NAME)
    configs = present(root, OPENCODE)
    if not configs:
        report.error(OPENCODE[0], "is missing, and so is any other configuration of OpenCode")
    for path in configs:
        config = read_object(root, path, report)
        if config is not None:
            _check_plugins(root, path, config, report)
            _check_servers(told(root, path), config.get("mcp", {}), report)
    _check_state(root, report)
    _check_version(root, report)
    for path in _sources(root):
        _check_hooks(told(root, path), read_text(root, path, report) or "", report)
    return report


def _check_plugins(root: Path, path: Path, config: dict[str, Any], report: Report) -> None:
    where = told(root, path)
    seen: dict[str, str] = {}
    for key in ("plugin", "plugins"):
        entries = config.get(key, [])
        if not isinstance(entries, list):
            report.error(f"{where} {key}", f"must be a list, not {kind_of(entries)}")
            continue
        for number, entry in enumerate(entries):
            name = _name_of(entry)
            if not name:
                report.error(f"{where} {key}[{number}]", "names no plugin")
                continue
            plain = without_version(name)
            if plain in seen:
                report.error(f"{where} {key}[{number}]", f"{name} is there already, as {seen[plain]}")
            seen.setdefault(plain, name)
            _check_found(root, path, key, number, name, report)


def _check_found(root: Path, path: Path, key: str, number: int, name: str, report: Report) -> None:
    where = f"{told(root, path)} {key}[{number}]"
    file = file_of(name, path.parent)
    if file is not None:
        if not file.exists():
            report.error(where, f"{name} is not there")
    # Under `plugins` a repository lists what it keeps itself; packages stand under `plugin`.
    elif key == "plugins" and not (root / "plugins" / without_version(name)).is_dir():
        report.error(where, f"{name} has no folder in plugins/")


def _name_of(entry: object) -> str:
    """An entry is a name, a name with options, or an object with a name or an id."""
    if isinstance(entry, list):
        entry = entry[0] if entry else ""
    if isinstance(entry, dict):
        entry = entry.get("name") or entry.get("id")
    return entry.strip() if isinstance(entry, str) else ""


def _check_servers(where: str, servers: object, report: Report) -> None:
    if not isinstance(servers, dict):
        report.error(f"{where} mcp", f"must be an object, not {kind_of(servers)}")
        return
    for name, server in servers.items():
        if not isinstance(server, dict):
            report.error(f"{where} mcp.{name}", f"must be an object, not {kind_of(server)}")
        elif not isinstance(server.get("enabled"), bool):
            report.error(f"{where} mcp.{name}", "must say enabled, true or false")


def _check_state(root: Path, report: Report) -> None:
    for path in present(root, (STATE,)):
        for name, state in (read_object(root, path, report) or {}).items():
            where = f"{STATE} {name[:100]}"
            try:
                check_name(name)
            except BadInput as fault:
                report.warn(where, fault.why)
            if not isinstance(state, dict):
                report.error(where, f"must be an object, not {kind_of(state)}")
            elif (known := state.get("state", state.get("status", "unknown"))) not in STATES:
                report.error(where, f"is {known!s:.40}, which is none of {', '.join(STATES)}")


def _check_version(root: Path, report: Report) -> None:
    for path in present(root, MANIFESTS):
        manifest = read_object(root, path, report) or {}
        for section in ("dependencies", "devDependencies", "peerDependencies"):
            for package, version in objects(manifest.get(section)).items():
                asked = generation(version) if package in PACKAGES and isinstance(version, str) else None
                if asked is not None and asked > NEWEST_GENERATION:
                    report.error(f"{told(root, path)} {section}.{package}", f"{version} runs no plugin of this kind")


def _sources(root: Path) -> list[Path]:
    folders = [*(root / name for name in FOLDERS), *sorted(filter(Path.is_dir, (root / "plugins").glob("*")))]
    return [path for folder in folders if folder.is_dir() for path in find_all(folder, SOURCES)]


def _check_hooks(where: str, source: str, report: Report) -> None:
    for hook in hooks_in(source):
        if hook in NEVER_CALLED:
            report.warn(where, f"{hook} is never called by OpenCode")
        elif hook not in HOOKS:
            report.error(where, f"there is no hook {hook}")

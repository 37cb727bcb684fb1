"""Which checks fit what was edited: package roots, package managers, scripts. Looks at files, runs nothing."""

import json
import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

MANIFESTS = ("package.json", "pyproject.toml", "Cargo.toml", "go.mod")
LOCKS = {
    "pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn", "bun.lockb": "bun", "bun.lock": "bun", "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm", "uv.lock": "uv", "poetry.lock": "poetry", "requirements.txt": "pip",
}  # fmt: skip
JAVASCRIPT, PYTHON = ("pnpm", "yarn", "bun", "npm"), ("uv", "poetry", "pip")
# What belongs together is checked by the language whose file was edited.
_SUFFIXES = {
    "package.json": (".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".mts", ".cts", ".vue", ".svelte", ".prisma"),
    "pyproject.toml": (".py", ".pyi"), "Cargo.toml": (".rs",), "go.mod": (".go",),
}  # fmt: skip


class Check(NamedTuple):
    """One command in one package root; `root` is relative to the project."""

    root: str
    kind: str
    command: tuple[str, ...]


class Plan(NamedTuple):
    checks: tuple[Check, ...]
    roots: tuple[str, ...]
    dropped: int


def plan(project: str, edited: Iterable[str], *, most: int, tests: bool) -> Plan:
    """Checks of every root that was edited, each once, no more than `most` in all."""
    roots: dict[tuple[str, str], None] = {}
    for path in edited:
        for root, manifest in _roots(Path(project), path):
            roots[str(root), manifest] = None
    found: dict[Check, None] = {}
    for place, manifest in roots:
        for check in _checks(Path(project), Path(place), manifest, tests):
            found[check] = None
    checks = tuple(found)
    names = tuple(dict.fromkeys(os.path.relpath(place, project) for place, _ in roots))
    return Plan(checks[:most], names, max(0, len(checks) - most))


def _roots(project: Path, path: str) -> list[tuple[Path, str]]:
    """The nearest folder upward with a manifest of the file's own language, else with any."""
    place = project / path
    try:
        place.relative_to(project)
    except ValueError:
        return []
    if ".." in Path(path).parts:
        return []
    suffix = place.suffix.lower()
    own = [manifest for manifest, suffixes in _SUFFIXES.items() if suffix in suffixes]
    for wanted in (own, list(MANIFESTS)):
        for folder in place.parents:
            if folder != project and project not in folder.parents:
                break
            here = [(folder, manifest) for manifest in wanted if (folder / manifest).is_file()]
            if here:
                return here
    return []


def package_manager(project: Path, root: Path, known: tuple[str, ...]) -> str:
    """By the nearest lock file upward: in a monorepo it lies at the top."""
    for folder in (root, *root.parents):
        told = _told_manager(folder / "package.json") if known is JAVASCRIPT else None
        if told in known:
            return str(told)
        for lock, manager in LOCKS.items():
            if manager in known and (folder / lock).is_file():
                return manager
        if folder == project:
            break
    return known[-1]


def _told_manager(path: Path) -> str | None:
    told = _json(path).get("packageManager")
    return told.partition("@")[0] if isinstance(told, str) else None


def _checks(project: Path, root: Path, manifest: str, tests: bool) -> list[Check]:
    makers = {"package.json": _javascript, "pyproject.toml": _python, "Cargo.toml": _rust, "go.mod": _go}
    name = os.path.relpath(root, project)
    return [Check(name, kind, tuple(command)) for kind, command in makers[manifest](project, root, tests)]


def _javascript(project: Path, root: Path, tests: bool) -> list[tuple[str, list[str]]]:
    package = _json(root / "package.json")
    told = package.get("scripts")
    scripts = told if isinstance(told, dict) else {}
    manager = package_manager(project, root, JAVASCRIPT)
    direct = {"npm": ["npx", "--no-install"], "pnpm": ["pnpm", "exec"], "yarn": ["yarn", "run"], "bun": ["bun", "x"]}[
        manager
    ]
    found: list[tuple[str, list[str]]] = []
    first = next((name for name in ("check", "typecheck", "type-check") if name in scripts), None)
    if first:
        found.append(("typecheck" if "type" in first else "check", [manager, "run", first]))
    elif (root / "tsconfig.json").is_file():
        found.append(("typecheck", [*direct, "tsc", "--noEmit"]))
    found += [("lint", [manager, "run", "lint"])] if "lint" in scripts else []
    found += [("test", [manager, "run", "test"])] if tests and "test" in scripts else []
    found += [("build", [manager, "run", "build"])] if "build" in scripts else []
    if (root / "prisma" / "schema.prisma").is_file() or "prisma" in package:
        found.append(("generate", [*direct, "prisma", "generate"]))
    return found


def _python(project: Path, root: Path, tests: bool) -> list[tuple[str, list[str]]]:
    text, told = _toml(root / "pyproject.toml")
    tools = told.get("tool")
    tools = tools if isinstance(tools, dict) else {}
    runner = {"uv": ["uv", "run", "--no-sync"], "poetry": ["poetry", "run"], "pip": []}[
        package_manager(project, root, PYTHON)
    ]

    def uses(name: str) -> bool:
        return name in tools or re.search(rf"[\"']{name}\b", text) is not None

    found = []
    if uses("ruff") or (root / "ruff.toml").is_file():
        found.append(("lint", [*runner, "ruff", "check", "."]))
    if uses("mypy") or (root / "mypy.ini").is_file():
        found.append(("typecheck", [*runner, "mypy", "."]))
    elif uses("pyright") or (root / "pyrightconfig.json").is_file():
        found.append(("typecheck", [*runner, "pyright"]))
    if tests and (uses("pytest") or (root / "pytest.ini").is_file() or (root / "tests").is_dir()):
        found.append(("test", [*runner, "pytest", "-q"]))
    return found


def _rust(_: Path, root: Path, tests: bool) -> list[tuple[str, list[str]]]:
    locked = ["--locked"] if any((folder / "Cargo.lock").is_file() for folder in (root, *root.parents)) else []
    found = [("check", ["cargo", "check", "--all-targets", *locked]), ("lint", ["cargo", "clippy", *locked])]
    return [*found, ("test", ["cargo", "test", *locked])] if tests else found


def _go(_: Path, __: Path, tests: bool) -> list[tuple[str, list[str]]]:
    found = [("build", ["go", "build", "./..."]), ("lint", ["go", "vet", "./..."])]
    return [*found, ("test", ["go", "test", "./..."])] if tests else found


def _json(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _toml(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text("utf-8")
        return text, tomllib.loads(text)
    except (OSError, ValueError):
        return "", {}

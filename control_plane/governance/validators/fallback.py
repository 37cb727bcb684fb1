"""The fallback file names the providers that the strategy's layers ask, no more and no fewer."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .findings import Report
from .plugin_files import OPENCODE
from .reading import find_all, kind_of, listed, objects, present, read_object, read_text, read_toml, told
from .schema import CONFIGS, FALLBACK, MODELS, SETTINGS

NAME = "fallback-consistency"
FILES = tuple(
    f"{folder}rate-limit-fallback.{ending}"
    for folder in ("opencode-config/", ".opencode/", "")
    for ending in ("json", "jsonc")
)
STRATEGY = "fallback-layer-strategy"
# One provider under two names, as far as everybody knows them; a configuration adds its own.
ALIASES = {"google": "antigravity"}
# Families of models that many providers serve, so that they are no provider unless a layer says so.
FAMILIES = frozenset(("deepseek",))
_LAYERS = re.compile(r"\bLAYERS\s*=\s*(?:Object\.freeze\()?\[(.*?)\]\s*\)?\s*;", re.DOTALL)
_CATALOGUE = re.compile(r"\bMODEL_CATALOG\s*=\s*(?:Object\.freeze\()?\{(.*?)\n\s*\}\s*\)?\s*;", re.DOTALL)
_QUOTED = re.compile(r"['\"]([A-Za-z0-9_.-]+)['\"]")
_KEY = re.compile(r"^(\s*)['\"]?([A-Za-z0-9_.-]+)['\"]?\s*:\s*[\[{]", re.MULTILINE)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


class Layers(NamedTuple):
    """What the strategy asks, in which file that stands, and what it could ask besides."""

    where: str
    providers: list[str]
    catalogue: list[str]


def validate(root: Path) -> Report:
    report = Report(NAME)
    aliases, configured = _configured(root, report)
    files = present(root, FILES)
    if not files:
        report.error(FILES[0], "is missing")
    named = [provider for path in files[:1] for provider in _named(root, path, report)]
    layers = _of_strategy(root, report) or configured
    if layers is None:
        report.error(STRATEGY, f"there are no layers: neither a {STRATEGY}.js nor {FALLBACK}.layers in {CONFIGS[0]}")
    if layers is not None and named:
        _compare(told(root, files[0]), named, layers, aliases, report)
        for where, catalogue in _catalogues(root, report):
            _unreachable(where, catalogue, layers, aliases, report)
    return report


def _named(root: Path, path: Path, report: Report) -> list[str]:
    """The providers of the fallback file, in their order."""
    config, where = read_object(root, path, report), told(root, path)
    if config is None:
        return []
    models: Any = next((config[key] for key in MODELS if key in config), [])
    if not isinstance(models, list):
        report.error(where, f"{MODELS[0]} must be a list, not {kind_of(models)}")
        return []
    named = []
    for number, model in enumerate(models):
        provider = model.partition("/")[0] if isinstance(model, str) else objects(model).get("providerID")
        if isinstance(provider, str) and provider.strip():
            named.append(provider.strip())
        else:
            report.error(f"{where} {MODELS[0]}[{number}]", "names no provider")
    if not models:
        report.error(where, f"{MODELS[0]} names nobody")
    return named


def _configured(root: Path, report: Report) -> tuple[dict[str, str], Layers | None]:
    """Aliases and layers of the control plane's own configuration."""
    aliases, layers = dict(ALIASES), None
    for path in present(root, CONFIGS)[:1]:
        where = f"{told(root, path)} {FALLBACK}"
        policy = objects((read_object(root, path, report) or {}).get(FALLBACK))
        told_aliases = policy.get("aliases", {})
        if not isinstance(told_aliases, dict) or not all(isinstance(one, str) for one in told_aliases.values()):
            report.error(f"{where}.aliases", "must map names to providers")
            told_aliases = {}
        aliases |= told_aliases
        if "layers" in policy:
            providers = _flat(policy["layers"])
            if providers is None:
                report.error(f"{where}.layers", "must be a list of layers, each a list of providers")
            else:
                layers = Layers(f"{where}.layers", providers, [])
                known = {_true(one, aliases) for one in providers}
                for alias, provider in told_aliases.items():
                    if _true(provider, aliases) not in known:
                        report.error(f"{where}.aliases.{alias}", f"stands for {provider}, whom no layer knows")
    return aliases, layers


def _of_strategy(root: Path, report: Report) -> Layers | None:
    """The layers as they stand in the source of a strategy."""
    for path in find_all(root, (".js", ".mjs", ".ts"), (STRATEGY,)):
        text, where = read_text(root, path, report), told(root, path)
        source = _COMMENT.sub("", text or "")
        found = _LAYERS.search(source)
        providers = list(dict.fromkeys(_QUOTED.findall(found[1]))) if found else []
        if text is not None and not providers:
            report.error(where, "has no LAYERS that name providers")
        catalogue = _CATALOGUE.search(source)
        return Layers(where, providers, _keys(catalogue[1]) if catalogue else [])
    return None


def _catalogues(root: Path, report: Report) -> Iterator[tuple[str, list[str]]]:
    """Whose models OpenCode and the router know."""
    for path in present(root, OPENCODE):
        yield told(root, path), list(objects((read_object(root, path, report) or {}).get("provider")))
    for path in present(root, SETTINGS):
        arms = [objects(arm) for arm in listed((read_toml(root, path, report) or {}).get("arms"))]
        models = [arm.get("model") or arm.get("name") for arm in arms if not arm.get("steps")]
        yield told(root, path), [model.partition("/")[0] for model in models if isinstance(model, str) and "/" in model]


def _compare(where: str, named: list[str], layers: Layers, aliases: dict[str, str], report: Report) -> None:
    asked = {_true(provider, aliases) for provider in layers.providers}
    for provider in dict.fromkeys(_true(one, aliases) for one in named):
        if provider not in asked and provider not in FAMILIES:
            report.error(where, f"names {provider}, whom no layer of {layers.where} asks")
    there = {_true(provider, aliases) for provider in named}
    for provider in dict.fromkeys(_true(one, aliases) for one in layers.providers):
        if provider not in there:
            report.error(layers.where, f"asks {provider}, whom {where} does not name")
    _unreachable(layers.where, layers.catalogue, layers, aliases, report)


def _unreachable(where: str, catalogue: list[str], layers: Layers, aliases: dict[str, str], report: Report) -> None:
    asked = {_true(provider, aliases) for provider in layers.providers}
    for provider in catalogue:
        if _true(provider, aliases) not in asked and provider not in FAMILIES:
            report.warn(where, f"has models of {provider}, which no layer reaches")


def _true(provider: str, aliases: dict[str, str]) -> str:
    """The one name of a provider; a ring of aliases ends where it began."""
    seen = {provider}
    while (provider := aliases.get(provider, provider)) not in seen:
        seen.add(provider)
    return min(seen) if provider in aliases and aliases[provider] != provider else provider


def _flat(layers: Any) -> list[str] | None:
    if not isinstance(layers, list) or not layers:
        return None
    flat: list[str] = []
    for layer in layers:
        entries = layer if isinstance(layer, list) else [layer]
        if not entries or not all(isinstance(entry, str) and entry.strip() for entry in entries):
            return None
        flat += entries
    return list(dict.fromkeys(flat))


def _keys(body: str) -> list[str]:
    """The keys of an object's outermost level: those that are indented least."""
    found = _KEY.findall("\n" + body)
    least = min((len(indent.lstrip("\n")) for indent, _ in found), default=0)
    return list(dict.fromkeys(key for indent, key in found if len(indent.lstrip("\n")) == least))

"""The schema of the configuration knows the sections of a control plane; a configuration that is there fits them."""

from pathlib import Path
from typing import Any

from .findings import Report
from .reading import kind_of, listed, objects, present, read_object, read_toml, told

NAME = "control-plane-schema"
SCHEMAS = ("opencode-config-schema.json", "opencode-config/opencode-config-schema.json")
FOLDERS = ("", "opencode-config/", ".opencode/")
CONFIGS = tuple(f"{folder}control-plane.{ending}" for folder in FOLDERS for ending in ("json", "jsonc"))
SETTINGS = tuple(f"{folder}control-plane.toml" for folder in FOLDERS)
# Sections of the host's configuration: each says whether it takes what it does not name.
CLOSED = ("runtime", "performance", "database", "logging", "sessions", "features", "paths")
FALLBACK, PLUGINS, FIDELITY = "fallback_policy", "plugin_lifecycle", "telemetry_fidelity"
ROUTER = ("arms", "policy", "example")
MODELS = ("fallbackModels", "fallback_models")
INTERVAL, MODE = "health_check_interval_ms", "default_mode"
MODES = ("live", "degraded", "demo")
# Asked more often than this, plugins do nothing but answer.
LEAST_INTERVAL_MS = 100


def validate(root: Path) -> Report:
    report = Report(NAME)
    schemas = present(root, SCHEMAS)
    if not schemas:
        report.error(SCHEMAS[0], "is missing")
    for path in schemas[:1]:
        schema = read_object(root, path, report)
        if schema is not None:
            _check_schema(told(root, path), schema, report)
    for path in present(root, CONFIGS):
        config = read_object(root, path, report)
        if config is not None:
            _check_config(told(root, path), config, report, (FALLBACK, PLUGINS, FIDELITY))
    for path in present(root, SETTINGS):
        settings = read_toml(root, path, report)
        if settings is not None:
            _check_settings(told(root, path), settings, report)
    return report


def _check_schema(where: str, schema: dict[str, Any], report: Report) -> None:
    sections = objects(schema.get("properties"))
    if not sections:
        report.error(where, "defines no properties")
        return
    for name in CLOSED:
        if name not in sections:
            report.error(where, f"has no section {name}")
        elif "additionalProperties" not in objects(sections[name]):
            report.error(f"{where} {name}", "does not say additionalProperties")
    for name in (FALLBACK, PLUGINS, FIDELITY):
        if name not in sections:
            report.error(where, f"has no control-plane section {name}")
        elif objects(sections[name]).get("type") != "object":
            report.error(f"{where} {name}", "must be of type object")
        else:
            _check_section(f"{where} {name}", name, objects(sections[name].get("properties")), report)


def _check_section(where: str, name: str, properties: dict[str, Any], report: Report) -> None:
    if name == FALLBACK:
        models = next((properties[key] for key in MODELS if key in properties), None)
        if models is None:
            report.error(where, f"must define {' or '.join(MODELS)}")
        elif objects(models).get("type", "array") != "array":
            report.error(f"{where}.{MODELS[0]}", "must be of type array")
    if name == PLUGINS:
        _check_interval_schema(where, properties, report)
    if name == FIDELITY:
        _check_mode_schema(where, properties, report)


def _check_interval_schema(where: str, properties: dict[str, Any], report: Report) -> None:
    if INTERVAL not in properties:
        report.error(where, f"must define {INTERVAL}")
        return
    interval = objects(properties[INTERVAL])
    if interval.get("type", "integer") not in ("integer", "number"):
        report.error(f"{where}.{INTERVAL}", "must be a number")
    if "default" in interval:
        _check_interval(f"{where}.{INTERVAL} default", interval["default"], report)


def _check_mode_schema(where: str, properties: dict[str, Any], report: Report) -> None:
    if MODE not in properties:
        report.error(where, f"must define {MODE}")
        return
    mode = objects(properties[MODE])
    modes = mode.get("enum", list(MODES))
    if not isinstance(modes, list) or not modes or any(one not in MODES for one in modes):
        report.error(f"{where}.{MODE}", f"may be {', '.join(MODES)}, nothing else")
    elif "default" in mode and mode["default"] not in modes:
        report.error(f"{where}.{MODE}", f"has a default that is none of {', '.join(modes)}")


def _check_settings(where: str, settings: dict[str, Any], report: Report) -> None:
    """The router's own file: whoever is fallen back on, or is a step of a cascade, is an arm; so is nobody else."""
    for name in settings:
        if name not in ROUTER and name not in (FALLBACK, PLUGINS, FIDELITY):
            report.error(where, f"has an unknown section {name[:80]}")
    arms = [objects(arm) for arm in listed(settings.get("arms"))]
    names = [arm.get("name") for arm in arms]
    for number, arm in enumerate(arms):
        if not isinstance(arm.get("name"), str) or names.index(arm["name"]) != number:
            report.error(f"{where} arms[{number}]", "must have a name of its own")
        steps = [step[0] if isinstance(step, list) and step else step for step in listed(arm.get("steps"))]
        for other in (*steps, *filter(None, [arm.get("fallback")])):
            if other not in names:
                report.error(f"{where} arms[{number}]", f"names {other!s:.80}, who is no arm")
    _check_config(where, {name: settings[name] for name in (FALLBACK, PLUGINS, FIDELITY) if name in settings}, report)


def _check_config(where: str, config: dict[str, Any], report: Report, asked: tuple[str, ...] = ()) -> None:
    for name in (FALLBACK, PLUGINS, FIDELITY):
        section = config.get(name)
        if section is None and name not in asked:
            continue
        if section is None:
            report.error(where, f"has no section {name}")
        elif not isinstance(section, dict):
            report.error(f"{where} {name}", f"must be an object, not {kind_of(section)}")
        elif name == PLUGINS:
            _check_interval(f"{where} {name}.{INTERVAL}", section.get(INTERVAL), report)
        elif name == FIDELITY and section.get(MODE) not in MODES:
            report.error(f"{where} {name}.{MODE}", f"must be one of {', '.join(MODES)}")
        elif name == FALLBACK:
            _check_models(f"{where} {name}", section, report)


def _check_interval(where: str, value: object, report: Report) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < LEAST_INTERVAL_MS:
        report.error(where, f"must be a number of milliseconds, {LEAST_INTERVAL_MS} or more")


def _check_models(where: str, section: dict[str, Any], report: Report) -> None:
    models = next((section[key] for key in MODELS if key in section), None)
    if not isinstance(models, list) or not models:
        report.error(where, f"must list models under {MODELS[0]}")
        return
    for number, model in enumerate(models):
        named = objects(model)
        parts = model.partition("/")[::2] if isinstance(model, str) else (named.get("providerID"), named.get("modelID"))
        if not all(isinstance(part, str) and part.strip() for part in parts):
            report.error(f"{where}.{MODELS[0]}[{number}]", "must name a provider and a model")

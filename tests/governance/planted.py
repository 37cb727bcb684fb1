"""Repositories that pass the governance suite, and every fault that can be planted in them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from control_plane.governance.validators import VALIDATORS
from control_plane.jsonc import loads

PROJECT = Path(__file__).parents[2]
SCHEMA, FALLBACK, PLUGINS = VALIDATORS
OURS = ("opencode-config-schema.json", "opencode-config")

SCHEMA_FILE, CONFIG = "opencode-config-schema.json", "opencode-config/control-plane.jsonc"
MODELS, OPENCODE = "opencode-config/rate-limit-fallback.jsonc", "opencode-config/opencode.jsonc"

STRATEGY = """
export class FallbackLayerStrategy {
  // 'nobody' is only spoken of
  static #MODEL_CATALOG = {
    antigravity: {
      fast: { id: 'gemini-flash' },
    },
    openai: {
      fast: { id: 'gpt-mini' },
    },
    rarely: {
      fast: { id: 'rare' },
    },
  };
  static #LAYERS = [
    { providers: ['antigravity'] },
    { providers: ['openai', "anthropic"] },
  ];
}
"""
PLUGIN = """
export const Guard = async ({ client }) => ({
  "chat.message": async (input, output) => {},
  async "tool.execute.before"(input, output) { throw new Error("no") },
  'shell.env': (input, output) => { output.env["a.b"] = {"gen_ai.system": "x"} },
  event: async ({ event }) => { if (event.type === "session.idle") { client.go() } },
  // "session.stop": async () => {},
})
"""


def ours(root: Path) -> Path:
    for name in OURS:
        (shutil.copytree if (PROJECT / name).is_dir() else shutil.copy)(PROJECT / name, root / name)
    return root


def foreign(root: Path) -> Path:
    """A repository of somebody else: plain JSON, a strategy in JavaScript, plugins in folders of its own."""
    section = {"type": "object", "additionalProperties": True, "properties": {}}
    names = ("runtime", "performance", "database", "logging", "sessions", "features", "paths")
    sections: dict[str, Any] = dict.fromkeys(names, section)
    sections["fallback_policy"] = {"type": "object", "properties": {"fallback_models": {"type": "array"}}}
    sections["plugin_lifecycle"] = {"type": "object", "properties": {"health_check_interval_ms": {"type": "number"}}}
    sections["telemetry_fidelity"] = {"type": "object", "properties": {"default_mode": {"type": "string"}}}
    put(root / "opencode-config-schema.json", {"properties": sections})
    models = [{"providerID": name, "modelID": "m"} for name in ("google", "openai", "anthropic", "deepseek")]
    put(root / "opencode-config/rate-limit-fallback.json", {"fallbackModels": models})
    put(
        root / "opencode-config/opencode.json",
        {"plugins": ["guard", {"name": "doctor"}], "mcp": {"m": {"enabled": False}}},
    )
    put(root / ".opencode/plugin-runtime-state.json", {"guard": {"status": "healthy"}})
    text(root / "packages/router/src/strategies/fallback-layer-strategy.js", STRATEGY)
    text(root / "plugins/guard/src/index.ts", PLUGIN)
    text(root / "plugins/guard/node_modules/other/index.js", '({"no.such.hook": async () => {}})')
    (root / "plugins/doctor").mkdir()
    return root


def put(path: Path, value: object) -> None:
    text(path, json.dumps(value))


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def edit(name: str, change: Callable[[Any], object]) -> Callable[[Path], None]:
    def plant(root: Path) -> None:
        value = loads((root / name).read_bytes())
        change(value)
        put(root / name, value)

    return plant


def write(name: str, content: str) -> Callable[[Path], None]:
    return lambda root: text(root / name, content)


def in_schema(section: str, field: str, **more: Any) -> Callable[[Path], None]:
    return edit(SCHEMA_FILE, lambda schema: schema["properties"][section]["properties"][field].update(more))


def without(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).unlink()


FAULTS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no schema": (SCHEMA, without(SCHEMA_FILE), "is missing"),
    "a schema that is no JSON": (SCHEMA, write(SCHEMA_FILE, "{"), "is not JSON"),
    "a schema that is a list": (SCHEMA, write(SCHEMA_FILE, "[]"), "must hold an object, not a list"),
    "a schema of bytes": (SCHEMA, lambda root: (root / SCHEMA_FILE).write_bytes(b"\xff\xfe"), "is not UTF-8"),
    "a schema without properties": (SCHEMA, write(SCHEMA_FILE, "{}"), "defines no properties"),
    **{
        f"no section {name}": (SCHEMA, edit(SCHEMA_FILE, lambda s, name=name: s["properties"].pop(name)), name)
        for name in ("runtime", "performance", "database", "logging", "sessions", "features", "paths")
    },
    **{
        f"no control-plane section {name}": (
            SCHEMA,
            edit(SCHEMA_FILE, lambda s, name=name: s["properties"].pop(name)),
            f"no control-plane section {name}",
        )
        for name in ("fallback_policy", "plugin_lifecycle", "telemetry_fidelity")
    },
    "an open section": (
        SCHEMA,
        edit(SCHEMA_FILE, lambda s: s["properties"]["paths"].pop("additionalProperties")),
        "additionalProperties",
    ),
    "a section that is no object": (
        SCHEMA,
        edit(SCHEMA_FILE, lambda s: s["properties"]["telemetry_fidelity"].update(type="string")),
        "type object",
    ),
    "no fallback models in the schema": (
        SCHEMA,
        edit(SCHEMA_FILE, lambda s: s["properties"]["fallback_policy"]["properties"].clear()),
        "must define",
    ),
    "no health interval in the schema": (
        SCHEMA,
        edit(SCHEMA_FILE, lambda s: s["properties"]["plugin_lifecycle"]["properties"].clear()),
        "must define health_check_interval_ms",
    ),
    "a health interval of words": (
        SCHEMA,
        in_schema("plugin_lifecycle", "health_check_interval_ms", type="string"),
        "must be a number",
    ),
    "a default interval of nothing": (
        SCHEMA,
        in_schema("plugin_lifecycle", "health_check_interval_ms", default=0),
        "100 or more",
    ),
    "no default fidelity in the schema": (
        SCHEMA,
        edit(SCHEMA_FILE, lambda s: s["properties"]["telemetry_fidelity"]["properties"].clear()),
        "must define default_mode",
    ),
    "a fidelity of its own": (
        SCHEMA,
        in_schema("telemetry_fidelity", "default_mode", enum=["live", "vr"]),
        "may be live, degraded, demo",
    ),
    "a default that is none of them": (
        SCHEMA,
        in_schema("telemetry_fidelity", "default_mode", default="x"),
        "a default that is none of",
    ),
    "a configuration without a section": (SCHEMA, edit(CONFIG, lambda c: c.pop("plugin_lifecycle")), "has no section"),
    "a section that is a list": (SCHEMA, edit(CONFIG, lambda c: c.update(fallback_policy=[])), "must be an object"),
    "an interval of true": (
        SCHEMA,
        edit(CONFIG, lambda c: c["plugin_lifecycle"].update(health_check_interval_ms=True)),
        "milliseconds",
    ),
    "an unknown fidelity": (
        SCHEMA,
        edit(CONFIG, lambda c: c["telemetry_fidelity"].update(default_mode="perfect")),
        "must be one of",
    ),
    "no fallback model at all": (
        SCHEMA,
        edit(CONFIG, lambda c: c["fallback_policy"].update(fallbackModels=[])),
        "must list models",
    ),
    "a model without a provider": (
        SCHEMA,
        edit(CONFIG, lambda c: c["fallback_policy"]["fallbackModels"].append("gpt")),
        "a provider and a model",
    ),
    "an arm that falls back on nobody": (
        SCHEMA,
        write("control-plane.toml", '[[arms]]\nname = "a"\nfallback = "b"\n'),
        "names b, who is no arm",
    ),
    "a cascade over a stranger": (
        SCHEMA,
        write("control-plane.toml", '[[arms]]\nname = "a"\nsteps = [["b", "tests"]]\n'),
        "names b, who is no arm",
    ),
    "two arms of one name": (
        SCHEMA,
        write("control-plane.toml", '[[arms]]\nname = "a"\n[[arms]]\nname = "a"\n'),
        "a name of its own",
    ),
    "an unknown section of settings": (SCHEMA, write("control-plane.toml", "[extra]\n"), "unknown section extra"),
    "settings that are no TOML": (SCHEMA, write("control-plane.toml", "= 1"), "is not TOML"),
    "no fallback file": (FALLBACK, without(MODELS), "is missing"),
    "no layers": (FALLBACK, edit(CONFIG, lambda c: c["fallback_policy"].pop("layers")), "there are no layers"),
    "layers that are none": (
        FALLBACK,
        edit(CONFIG, lambda c: c["fallback_policy"].update(layers=[[1]])),
        "must be a list of layers",
    ),
    "nobody to fall back on": (FALLBACK, edit(MODELS, lambda f: f["fallbackModels"].clear()), "names nobody"),
    "models that are no list": (FALLBACK, edit(MODELS, lambda f: f.update(fallbackModels={})), "must be a list"),
    "an entry without a provider": (
        FALLBACK,
        edit(MODELS, lambda f: f["fallbackModels"].append({})),
        "names no provider",
    ),
    "a provider that no layer asks": (
        FALLBACK,
        edit(MODELS, lambda f: f["fallbackModels"].append({"providerID": "acme", "modelID": "m"})),
        "names acme, whom no layer",
    ),
    "a layer that the file does not name": (
        FALLBACK,
        edit(CONFIG, lambda c: c["fallback_policy"]["layers"].append(["mistral"])),
        "asks mistral, whom",
    ),
    "an alias of nobody": (
        FALLBACK,
        edit(CONFIG, lambda c: c["fallback_policy"]["aliases"].update(x="nobody")),
        "stands for nobody",
    ),
    "aliases that are a list": (
        FALLBACK,
        edit(CONFIG, lambda c: c["fallback_policy"].update(aliases=[])),
        "must map names to providers",
    ),
    "a strategy without layers": (
        FALLBACK,
        write("src/fallback-layer-strategy.js", "// LAYERS = ['anthropic'];"),
        "has no LAYERS",
    ),
    "no configuration of OpenCode": (PLUGINS, without(OPENCODE), "is missing"),
    "a plugin twice": (
        PLUGINS,
        edit(OPENCODE, lambda c: c["plugin"].extend(["a", "b", "a"])),
        "a is there already, as a",
    ),
    "a plugin in two versions": (
        PLUGINS,
        edit(OPENCODE, lambda c: c["plugin"].extend(["@s/a@1.2.3", ["@s/a@latest", {"x": 1}]])),
        "@s/a@latest is there already, as @s/a@1.2.3",
    ),
    "a plugin without a name": (PLUGINS, edit(OPENCODE, lambda c: c["plugin"].append({"x": 1})), "names no plugin"),
    "plugins that are an object": (PLUGINS, edit(OPENCODE, lambda c: c.update(plugin={})), "must be a list"),
    "a file that is not there": (PLUGINS, edit(OPENCODE, lambda c: c["plugin"].append("./gone.ts")), "is not there"),
    "a folder that is not there": (
        PLUGINS,
        edit(OPENCODE, lambda c: c.update(plugins=["own"])),
        "no folder in plugins/",
    ),
    "servers in a list": (PLUGINS, edit(OPENCODE, lambda c: c.update(mcp=[])), "must be an object, not a list"),
    "a server that is text": (
        PLUGINS,
        edit(OPENCODE, lambda c: c["mcp"].update(x="on")),
        "must be an object, not text",
    ),
    "a server that does not say enabled": (
        PLUGINS,
        edit(OPENCODE, lambda c: c["mcp"]["control-plane"].pop("enabled")),
        "must say enabled",
    ),
    "a server that is enabled by a word": (
        PLUGINS,
        edit(OPENCODE, lambda c: c["mcp"]["control-plane"].update(enabled="yes")),
        "must say enabled",
    ),
    "runtime state in a list": (PLUGINS, write(".opencode/plugin-runtime-state.json", "[]"), "must hold an object"),
    "a plugin's state in a word": (
        PLUGINS,
        write(".opencode/plugin-runtime-state.json", '{"a": "well"}'),
        "must be an object, not text",
    ),
    "an unknown state": (
        PLUGINS,
        write(".opencode/plugin-runtime-state.json", '{"a": {"status": "sleepy"}}'),
        "is sleepy, which is none",
    ),
    "a hook that is not there": (
        PLUGINS,
        write(".opencode/plugin/a.js", '({"session.stop": async () => {}})'),
        "there is no hook session.stop",
    ),
    "the second generation": (
        PLUGINS,
        write(".opencode/package.json", '{"dependencies": {"@opencode-ai/plugin": "^2.0.1"}}'),
        "runs no plugin",
    ),
}

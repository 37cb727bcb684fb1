"""The governance suite: this repository passes, a foreign one by its path too, and every planted fault is named."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_plane.flags.reading import FIELDS, explain
from control_plane.governance.validators import VALIDATORS, run_suite
from control_plane.governance.validators.plugin_files import hooks_in, without_version
from control_plane.jsonc import loads
from control_plane.router.catalogue import EXAMPLES, read_settings
from tests.governance.planted import (
    CONFIG,
    FALLBACK,
    FAULTS,
    MODELS,
    OPENCODE,
    PLUGIN,
    PLUGINS,
    PROJECT,
    SCHEMA,
    edit,
    foreign,
    ours,
    text,
)

SCRIPTS = {name: f"scripts/governance/validate_{name.replace('-', '_')}.py" for name in VALIDATORS}


@pytest.mark.requirement("GOV-44", "FG-SUITE-1", "FG-SUITE-2", "FG-SUITE-3", "FG-POLICY-3")
@pytest.mark.parametrize("name", VALIDATORS)
def test_this_repository_passes(name: str) -> None:
    report = VALIDATORS[name](PROJECT)
    assert report.errors == []
    assert report.warnings == []
    assert report.looked_at


@pytest.mark.requirement("GOV-35")
@pytest.mark.parametrize("make", [ours, foreign])
def test_another_repository_passes_by_its_path(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    for name, report in run_suite(make(tmp_path)).items():
        assert report.errors == [], name


def test_what_the_foreign_strategy_never_reaches_is_a_warning(tmp_path: Path) -> None:
    report = VALIDATORS[FALLBACK](foreign(tmp_path))
    assert [finding.what for finding in report.warnings] == ["has models of rarely, which no layer reaches"]


@pytest.mark.parametrize(("validator", "plant", "what"), FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_fails_one_validator_and_is_named(
    tmp_path: Path, validator: str, plant: Callable[[Path], object], what: str
) -> None:
    root = ours(tmp_path)
    assert VALIDATORS[validator](root).passed
    plant(root)
    report = VALIDATORS[validator](root)
    assert any(what in str(error) for error in report.errors), report.errors


def test_comments_and_trailing_commas_are_understood(tmp_path: Path) -> None:
    root = foreign(tmp_path)
    (root / "opencode-config/opencode.json").write_text(
        '{ // told\n "plugin": ["a", /* twice */ "b",],\n "mcp": {"m": {"enabled": true, "url": "http://x//y",},}, }'
    )
    assert VALIDATORS[PLUGINS](root).errors == []
    text(root / ".opencode/opencode.jsonc", '{"mcp": {"m": {"url": "http://x//y", /* "enabled": true */}}}')
    assert [str(error) for error in VALIDATORS[PLUGINS](root).errors] == [
        ".opencode/opencode.jsonc mcp.m: must say enabled, true or false"
    ]


def test_hooks_are_found_where_they_are_functions_and_nowhere_else() -> None:
    assert hooks_in(PLUGIN) == ["chat.message", "tool.execute.before", "shell.env"]
    assert hooks_in('x = {"a.b": c => 1, "c.d": 5, "e.f": function () {}, "g.h"(i) {}}') == ["a.b", "e.f", "g.h"]


def test_a_hook_that_is_typed_but_never_called_is_a_warning(tmp_path: Path) -> None:
    text(ours(tmp_path) / ".opencode/plugin/a.js", '({"permission.ask": async () => {}})')
    report = VALIDATORS[PLUGINS](tmp_path)
    assert report.passed
    assert [finding.what for finding in report.warnings] == ["permission.ask is never called by OpenCode"]


@pytest.mark.parametrize(
    ("entry", "plain"),
    [("a", "a"), ("a@1", "a"), ("@s/a", "@s/a"), ("@s/a@^1.2", "@s/a"), ("file:///x@2/a.js", "file:///x@2/a.js")],
)
def test_a_version_is_what_follows_the_last_at(entry: str, plain: str) -> None:
    assert without_version(entry) == plain


WORDS = st.sampled_from(
    [
        "properties",
        "fallback_policy",
        "plugin_lifecycle",
        "telemetry_fidelity",
        "fallbackModels",
        "providerID",
        "layers",
        "aliases",
        "plugin",
        "plugins",
        "mcp",
        "enabled",
        "type",
        "default",
        "enum",
        "default_mode",
        "provider",
        "arms",
        "health_check_interval_ms",
        "a",
        "b",
        "dependencies",
        "@opencode-ai/plugin",
        "name",
        "id",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=20,
)
FILES = (
    "opencode-config-schema.json",
    CONFIG,
    MODELS,
    OPENCODE,
    ".opencode/plugin-runtime-state.json",
    ".opencode/package.json",
)


@given(st.lists(st.tuples(st.sampled_from(FILES), JSON | st.binary(max_size=30)), min_size=1, max_size=4))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_lies_there_becomes_a_finding_never_an_exception(
    tmp_path: Path, planted: list[tuple[str, Any]]
) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    for name, value in planted:
        (tmp_path / name).write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
    for report in run_suite(tmp_path).values():
        json.dumps(report.facts())


def test_a_ring_of_aliases_ends(tmp_path: Path) -> None:
    root = ours(tmp_path)
    edit(CONFIG, lambda c: c["fallback_policy"].update(aliases={"openai": "gpt", "gpt": "openai"}))(root)
    assert VALIDATORS[FALLBACK](root).passed


def script(name: str, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROJECT / SCRIPTS[name]), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.requirement("GOV-35")
@pytest.mark.parametrize("name", VALIDATORS)
def test_each_script_says_what_is_wrong_and_exits_so(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    passed = script(name, str(PROJECT), folder=tmp_path)
    assert (passed.returncode, passed.stderr) == (0, "")
    assert passed.stdout.startswith(f"{name}: passed")
    failed = script(name, folder=tmp_path)
    assert failed.returncode == 1
    assert "error: opencode-config" in failed.stderr
    assert script(name, str(tmp_path / "nowhere"), folder=tmp_path).returncode == 2
    assert script(name, "one", "two", folder=tmp_path).returncode == 2
    told = json.loads(script(name, "--json", folder=tmp_path).stdout)
    assert (told["validator"], told["passed"]) == (name, False)


def test_our_schema_speaks_of_the_flags_as_they_are() -> None:
    sections = json.loads((PROJECT / "opencode-config-schema.json").read_text())["properties"]
    told = {
        name: field
        for section in ("runtime", "performance", "database", "logging", "sessions", "features", "paths")
        for name, field in sections[section]["properties"].items()
    }
    assert told.keys() == FIELDS.keys()
    for name, field in told.items():
        default = field["default"]
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        assert (field["description"], shown) == (explain(name, {}, {}).meaning, explain(name, {}, {}).default)


def test_our_fallback_models_are_those_of_the_example_catalogue() -> None:
    models = loads((PROJECT / MODELS).read_bytes())["fallbackModels"]
    named = {f"{model['providerID']}/{model['modelID']}" for model in models}
    assert named == {arm.model for arm in EXAMPLES if arm.model}


def test_the_router_reads_settings_that_hold_the_suites_sections(tmp_path: Path) -> None:
    text(
        tmp_path / "control-plane.toml",
        '[[arms]]\nname = "acme/one"\n[plugin_lifecycle]\nhealth_check_interval_ms = 1000\n'
        '[telemetry_fidelity]\ndefault_mode = "live"\n[fallback_policy]\nfallbackModels = ["acme/one"]\n',
    )
    found = read_settings(tmp_path)
    assert found is not None
    assert [arm.name for arm in found.arms] == ["acme/one"]
    assert not [error for error in VALIDATORS[SCHEMA](tmp_path).errors if "toml" in error.where]

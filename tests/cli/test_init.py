"""`init` writes the catalogue beside the project, from what OpenCode knows or as an example."""

import json
from pathlib import Path

import pytest

from control_plane.router.catalogue import EXAMPLES, read_settings


@pytest.mark.requirement("ROUTER-05", "ROUTER-06")
def test_the_arms_are_the_models_of_the_opencode_configuration(run, project: Path):
    (project / "opencode.jsonc").write_text("""{
      // what we use
      "model": "anthropic/opus", "agent": {"build": {"model": "openai/gpt"}, "plan": {}},
      "provider": {"local": {"models": {"qwen": {"cost": {"input": 0.1}, "limit": {"context": 32000}},}}}, /* end */
    }""")
    ran = run("init", "--home", "home", "--json")
    assert ran.code == 0
    assert ran.json()["arms_from"] == "made from opencode.jsonc"
    settings = read_settings(project)
    assert settings is not None
    assert {arm.name for arm in settings.arms} == {"anthropic/opus", "openai/gpt", "local/qwen"}
    (qwen,) = [arm for arm in settings.arms if arm.name == "local/qwen"]
    assert (qwen.price_in, qwen.context) == (0.1, 32000)
    assert not settings.example


@pytest.mark.requirement("ROUTER-07")
def test_without_one_it_is_an_example_that_says_so_and_advises(run, project: Path):
    assert run("init", "--home", "home").code == 0
    settings = read_settings(project)
    assert settings is not None
    assert settings.example
    assert settings.arms == EXAMPLES
    assert "this catalogue is an example" in run("advise", "--home", "home", "--task-type", "code.fix").err
    assert run("guard", "status", "--home", "home").err == run("stats", "--home", "home").err == ""
    ran = run("advise", "--home", "home", "--task-type", "code.fix", "--json")
    assert ran.code == 0
    assert "example" in ran.err
    assert json.loads(ran.out)["arm"]


def test_a_catalogue_that_is_there_stays_as_it_is(run, project: Path):
    (project / "control-plane.toml").write_text('[[arms]]\nname = "mine"\n')
    assert run("init", "--home", "home", "--json").json()["arms_from"] == "there already"
    assert (project / "control-plane.toml").read_text() == '[[arms]]\nname = "mine"\n'


def test_a_configuration_that_is_none_is_named(run, project: Path):
    (project / "opencode.json").write_text("{")
    ran = run("init", "--home", "home", "--json")
    assert ran.code == 2
    assert "opencode.json" in ran.err
    assert not (project / "control-plane.toml").exists()

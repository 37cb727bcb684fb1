"""A process of OpenCode that ends after one turn is advised all the same; and who is not advised hears why."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from control_plane import extras
from control_plane.opencode import installing, resident
from tests.opencode.world import A, World, until

# A real OpenCode starts slowly where others are at work.
pytestmark = pytest.mark.timeout(400)

AUTO = "control-plane/auto"


def opencode_run(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    # It believes PWD more than the folder that it is in.
    env = world.env | {"PWD": str(world.project)}
    return subprocess.run(
        [world.binary, "run", *words], cwd=world.project, env=env, capture_output=True, text=True, timeout=120,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def status(world: World) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(world.cli("opencode", "status", "--json"))
    return told


def without(world: World, module: str) -> None:
    """From now on the programs of this world lack a package."""
    place = world.folder / "lacking"
    place.mkdir()
    (place / "sitecustomize.py").write_text(f"import sys\nsys.modules[{module!r}] = None\n")
    world.env["PYTHONPATH"] = os.pathsep.join([str(place), world.env["PYTHONPATH"]])


def refused(world: World, *words: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "control_plane", *words, "--json"], cwd=world.project, env=world.env,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout
    error: dict[str, str] = json.loads(done.stderr.splitlines()[-1])["error"]
    return error


@pytest.mark.long
def test_each_run_of_opencode_is_advised_though_it_ends_after_one_turn(bare: World) -> None:
    bare.install("--wait-ms", "5000")
    bare.settle(first_ms=60_000)
    bare.cli("opencode", "auto", "on", "--incumbent", A)
    for n in range(3):
        done = opencode_run(bare, "--model", AUTO, f"fix the bug {n}")
        assert (done.returncode, done.stdout.strip()) == (0, "hello from fake-a"), done.stderr
    begun = bare.events("turns.turn-begun")
    assert [(one["picked"], one["used"], bool(one.get("decision"))) for one in begun] == [("auto", A, True)] * 3
    until(lambda: len(bare.events("turns.turn-ended")) == 3)
    told = status(bare)
    assert (told["turns"], told["unadvised"], told["trouble"]) == (3, 0, None)


def test_without_the_extra_nothing_is_installed_or_turned_on_and_the_cure_is_said(bare: World) -> None:
    without(bare, "structlog")
    for words in (("install", "--unchecked"), ("auto", "on"), ("serve", "--check")):
        error = refused(bare, "opencode", *words)
        assert (error["code"], error["cure"]) == ("extra.missing", extras.install("serve"))
        assert "structlog" in error["what"]
    assert not (bare.project / ".opencode/plugin").exists()


@pytest.mark.long
def test_a_server_that_cannot_start_is_no_secret_and_the_turn_that_went_without_it_is_told_of(bare: World) -> None:
    bare.install("--unchecked")
    bare.cli("opencode", "auto", "on", "--incumbent", A)
    whole = bare.env["PYTHONPATH"]
    without(bare, "structlog")
    assert opencode_run(bare, "--model", AUTO, "fix it").stdout.strip() == "hello from fake-a"
    bare.env["PYTHONPATH"] = whole
    assert "structlog" in status(bare)["trouble"]
    trouble = bare.home / installing.TROUBLE
    trouble.unlink()
    # One that stays open tells of it once the server is there again.
    bare.settle(command=[sys.executable, "-c", "raise SystemExit('no such thing')"])
    bare.start()
    session = bare.port.create_session("still alone").id
    assert bare.port.prompt(session, "SAY hello", model=AUTO).info.model == A
    until(lambda: "no such thing" in str(installing.read_json(trouble).get("what")))
    bare.serve()
    until(lambda: bare.of_session("turns.turn-unadvised", session))
    assert "no such thing" in bare.of_session("turns.turn-unadvised", session)[0]["reason"]
    assert bare.of_session("turns.turn-begun", session)[0]["used"] == A
    told = status(bare)
    assert (told["turns"], told["unadvised"]) == (1, 1)


def test_auto_is_refused_where_no_plugin_would_offer_it(bare: World) -> None:
    assert "opencode install" in refused(bare, "opencode", "auto", "on")["cure"]
    bare.install("--unchecked")
    assert json.loads(bare.cli("opencode", "auto", "on", "--json"))["auto"]
    bare.cli("opencode", "install", "--remove")
    assert "opencode install" in refused(bare, "opencode", "auto", "on")["cure"]
    told = bare.cli("opencode", "status")
    assert "no plugin offers control-plane/auto" in told
    assert "starts it when" not in told
    bare.cli("opencode", "auto", "off")


def test_the_server_ends_when_it_is_told_to_and_when_nobody_asks(bare: World) -> None:
    bare.serve()
    first = resident.announced_at(bare.home)
    assert first is not None
    until(lambda: resident.healthy(first))
    assert json.loads(bare.cli("opencode", "stop", "--json")) == {"stopped": True, "gone": True}
    assert resident.announced_at(bare.home) is None
    assert json.loads(bare.cli("opencode", "stop", "--json")) == {"stopped": False, "gone": True}
    idle = [sys.executable, "-m", "control_plane", "opencode", "serve", "--idle-minutes", "0.002"]
    done = subprocess.run(idle, cwd=bare.project, env=bare.env, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert resident.gone(bare.home)

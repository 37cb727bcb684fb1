"""`doctor` names what is wrong with its cure, and changes nothing."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from control_plane.cli.home_ailments import _key, said
from control_plane.clock import Clock
from control_plane.ledger.home import Home
from control_plane.ledger.keys import create_key
from control_plane.ledger.opening import Opened, create_home
from tests.cli.conftest import CATALOGUE, Run

# Root without root's power over files is a user as any other.
CAPABILITIES = "-dac_override,-dac_read_search"
AS_OTHERS = ("setpriv", f"--bounding-set={CAPABILITIES}", f"--inh-caps={CAPABILITIES}")


def findings(run: Run, *words: str, code: int = 0) -> dict[str, dict[str, str]]:
    told = run("doctor", "--json", *words)
    assert told.code == code, told.err
    facts = told.json()
    assert facts["healthy"] is (code == 0)
    return {one["what"]: one for one in facts["findings"]}


@pytest.mark.requirement("SHIP-19")
def test_a_fresh_home_is_healthy_and_its_recovery_key_is_pointed_at(run: Run, home: Home):
    found = findings(run)
    assert {name: one["state"] for name, one in found.items() if name in ("home", "ledger", "disk")} == {
        "home": "ok",
        "ledger": "ok",
        "disk": "ok",
    }
    assert (found["recovery"]["state"], "offline" in found["recovery"]["cure"]) == ("note", True)


def test_without_a_home_nothing_is_wrong_and_none_is_made(run: Run, tmp_path: Path):
    place = tmp_path / "nobody"
    assert findings(run, "--home", str(place))["home"]["cure"].startswith("control-plane init")
    assert not place.exists()


@pytest.mark.parametrize("name", ["key", "token"])
def test_a_secret_that_others_can_read_is_wrong(run: Run, home: Home, name: str):
    path: Path = getattr(home, name)
    path.touch()
    path.chmod(0o644)
    found = findings(run, code=1)[name]
    assert found["cure"] == f"chmod 600 {path}"


def test_an_old_copy_of_the_database_is_wrong(run: Run, home: Home):
    before = home.database.read_bytes()
    assert run("advise", "--task-type", "code.fix").code == 0
    assert findings(run)["ledger"]["state"] == "ok"
    home.database.write_bytes(before)
    found = findings(run, code=1)["ledger"]
    assert "ledger.rollback" in found["seen"]
    assert found["cure"]


def test_without_a_witness_an_old_copy_would_pass_and_doctor_says_so(run: Run, home: Home, own_environment: Path):
    before = home.database.read_bytes()
    assert run("advise", "--task-type", "code.fix").code == 0
    home.database.write_bytes(before)
    shutil.rmtree(own_environment)
    found = findings(run, code=1)
    assert "witness saw" not in found["ledger"]["seen"]
    assert found["witness"]["cure"].endswith("control-plane ledger witness --update")
    assert run("ledger", "witness", "--update").code == 0
    assert "witness" not in findings(run)


def test_a_key_that_is_not_of_this_ledger_is_wrong(run: Run, home: Home):
    home.key.unlink()
    create_key(home.key, home.identity().origin)
    found = findings(run, code=1)["key"]
    assert "[key.unknown]" in found["seen"]
    assert "restore it" in found["cure"]
    assert "recover-key" in found["cure"]


def test_a_key_of_which_a_byte_was_flipped_is_wrong_wherever_it_was(run: Run, home: Home):
    whole = home.key.read_bytes()
    with contextlib.closing(Opened(home, CATALOGUE, Clock(), signing=False)) as opened:
        for at in range(len(whole)):
            home.key.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            (found,) = said("key", _key, opened)
            try:
                opened.authority().check()
            except Exception:
                assert found.state == "wrong"
                assert "recover-key" in found.cure
            else:
                assert found.state == "ok"


@pytest.mark.parametrize(("name", "mode"), [("database", 0o444), ("root", 0o555), ("journal", 0o555), ("keys", 0o000)])
def test_what_cannot_be_written_is_named_and_its_cure_works(
    run: Run, home: Home, name: str, mode: int, could_not_run: Callable[[str], NoReturn]
):
    assert run("advise", "--task-type", "code.fix").code == 0
    path: Path = home.key.parent if name == "keys" else getattr(home, name)
    path.chmod(mode)
    program = [sys.executable, "-m", "control_plane", "doctor", "--json"]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            could_not_run("root may write everything, and there is no setpriv")
        program = [*AS_OTHERS, *program]
    told = subprocess.run(program, capture_output=True, timeout=60, check=False)
    assert (told.returncode, told.stderr) == (1, b"")
    wrong = [one for one in json.loads(told.stdout)["findings"] if one["state"] == "wrong"]
    assert [one for one in wrong if str(path) in one["seen"]]
    if name != "keys":
        (cure,) = [one["cure"] for one in wrong if one["what"] == "writing"]
        subprocess.run(cure.split(), check=True, timeout=60)
        assert subprocess.run(program, capture_output=True, timeout=60, check=False).returncode == 0


YEAR = 31_557_600.0


@pytest.mark.parametrize(
    ("years", "said", "code"),
    [((28.0,), "the newest event", 1), ((-27.0,), "go back", 0), ((0.0,), "", 0), ((28.0, 0.0), "go back", 0)],
)
def test_a_clock_that_was_wrong_shows(run: Run, tmp_path: Path, years: tuple[float, ...], said: str, code: int):
    home, now = Home(tmp_path / "home"), time.time()
    create_home(home, CATALOGUE, Clock())
    opened = Opened(home, CATALOGUE, Clock())
    states = [json.dumps({"at": now + year * YEAR}).encode() for year in years]
    opened.backend.insert("clocks", 1, ["test.seen"] * len(states), states)
    opened.sight()
    opened.close()
    seen = [one["seen"] for name, one in findings(run, "--home", str(home.root), code=code).items() if name == "clock"]
    assert said in "".join(seen)
    assert bool(seen) is bool(said)


def test_a_catalogue_that_cannot_be_read_is_wrong(run: Run, home: Home):
    Path("control-plane.toml").write_text("[[arms]\n")
    found = findings(run, code=1)["catalogue"]
    assert "control-plane.toml" in found["seen"]
    assert found["cure"]


def test_people_see_a_table(run: Run, home: Home):
    told = run("doctor")
    assert told.code == 0
    assert {"python", "home", "ledger"} <= {line.split()[0] for line in told.out.splitlines()}


def test_an_example_that_lies_there_is_to_be_edited_and_not_to_be_made(run: Run, home: Home):
    assert "control-plane init" in findings(run)["catalogue"]["cure"]
    run("init")
    assert findings(run)["catalogue"]["cure"] == (
        "name your arms in control-plane.toml, and remove its line example = true"
    )

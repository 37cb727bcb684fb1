"""`doctor` names what is wrong with its cure, and changes nothing."""

from pathlib import Path

import pytest

from control_plane.ledger.home import Home
from tests.cli.conftest import Run


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
    found = findings(run, code=1)["ledger" if name == "key" else "token"]
    assert found["cure"] == f"chmod 600 {path}"


def test_an_old_copy_of_the_database_is_wrong(run: Run, home: Home):
    before = home.database.read_bytes()
    assert run("advise", "--task-type", "code.fix").code == 0
    assert findings(run)["ledger"]["state"] == "ok"
    home.database.write_bytes(before)
    found = findings(run, code=1)["ledger"]
    assert "ledger.rollback" in found["seen"]
    assert found["cure"]


def test_a_catalogue_that_cannot_be_read_is_wrong(run: Run, home: Home):
    Path("control-plane.toml").write_text("[[arms]\n")
    found = findings(run, code=1)["catalogue"]
    assert "control-plane.toml" in found["seen"]
    assert found["cure"]


def test_people_see_a_table(run: Run, home: Home):
    told = run("doctor")
    assert told.code == 0
    assert {"python", "home", "ledger"} <= {line.split()[0] for line in told.out.splitlines()[1:]}

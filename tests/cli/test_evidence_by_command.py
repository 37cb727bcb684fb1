"""Evidence on the command line: recorded, verified, listed; a changed file fails, red P0 evidence freezes."""

import time
from pathlib import Path

import pytest

from control_plane.evidence import sidecar, write
from control_plane.ledger.home import Home
from tests.cli.conftest import Run
from tests.evidence.samples import sample

METRICS = Path(".opencode/metrics")


@pytest.mark.requirement("GOV-38")
def test_verify_accepts_what_was_recorded_and_fails_on_a_changed_file(home: Home, run: Run) -> None:
    path = write(sample(at=time.time()), METRICS)
    unsigned = run("evidence", "verify", str(path), "--json")
    assert (unsigned.code, unsigned.json()[0]["reason"]) == (1, "unsigned")
    assert run("evidence", "verify", str(path), "--unsigned").code == 0
    assert run("evidence", "record", str(path)).code == 0
    verified = run("evidence", "verify", str(METRICS), "--json")
    assert verified.code == 0
    assert [(fact["ok"], fact["item"], fact["result"]) for fact in verified.json()] == [(True, "FG-01", "green")]
    path.write_bytes(path.read_bytes().replace(b'"cores": 2', b'"cores": 3'))
    changed = run("evidence", "verify", str(path), "--json")
    assert (changed.code, changed.json()[0]["reason"]) == (1, "changed")
    assert run("evidence", "verify", str(path), "--unsigned").code == 1


def test_who_has_no_home_names_the_key(home: Home, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = write(sample(at=time.time()), METRICS)
    run("evidence", "record", str(path))
    key = run("ledger", "key").out.strip()
    monkeypatch.setenv("CONTROL_PLANE_HOME", str(tmp_path / "nowhere"))
    assert run("evidence", "verify", str(path)).code == 1
    assert run("evidence", "verify", str(path), "--key", key).code == 0
    Path("key.pub").write_text(key)
    assert run("evidence", "verify", str(path), "--key", "key.pub").code == 0
    assert run("evidence", "verify", str(path), "--key", "nonsense").code == 2
    assert run("evidence", "list").code == 0
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.requirement("GOV-42")
def test_list_shows_every_item_of_the_plan(home: Home, run: Run) -> None:
    now = time.time()
    old = write(sample("FG-03", at=now - 15 * 86_400), METRICS)
    write(sample("FG-02", at=now - 7_200), METRICS)
    assert run("evidence", "record", str(old)).code == 0
    listed = run("evidence", "list", "--json").json()
    items = {row["item"]: row for row in listed["items"]}
    assert list(items) == ["M0", *(f"FG-{number:02}" for number in range(1, 13))]
    assert [row["milestone"] for row in items.values()] == ["M0", *["M1"] * 4, *["M2"] * 4, *["M3"] * 4]
    told = {name: items["FG-03"][name] for name in ("result", "fresh", "signed", "recorded", "priority", "switch")}
    assert told == {
        "result": "green", "fresh": False, "signed": True, "recorded": True, "priority": "P0",
        "switch": "OPENCODE_LEARNING_INVALIDATION",
    }  # fmt: skip
    assert (items["FG-02"]["signed"], items["FG-02"]["recorded"], items["FG-02"]["fresh"]) == (False, False, True)
    assert (items["FG-01"]["result"], items["FG-12"]["may_go_strict"], listed["frozen"]) == ("missing", False, [])
    lines = run("evidence", "list").out.splitlines()
    assert lines[0].split() == [
        "milestone", "item", "result", "age", "fresh?", "signed?", "recorded?", "strict?", "switch",
    ]  # fmt: skip
    assert "15 d" in lines[4]
    assert "2 h" in lines[3]


@pytest.mark.requirement("GOV-40", "GOV-41")
def test_recording_red_p0_evidence_freezes_and_green_evidence_thaws(home: Home, run: Run) -> None:
    now = time.time()
    red = write(sample("FG-01", at=now - 10, green=False), METRICS)
    told = run("evidence", "record", str(red), "--json")
    assert told.code == 0
    assert told.json()["frozen"] == ["M2", "M3"]
    assert told.err.splitlines() == [
        "milestone.rolled-back: FG-01",
        "flag.flipped: OPENCODE_ROUTER_BUFFERED_STATS",
        "flag.flipped: OPENCODE_MILESTONE_M1",
    ]
    listed = run("evidence", "list")
    assert listed.out.splitlines()[-1] == "frozen until P0 is green again: M2, M3"
    assert all(
        row["frozen"] == (row["milestone"] in ("M2", "M3")) for row in run("evidence", "list", "--json").json()["items"]
    )
    green = write(sample("FG-01", at=now), METRICS)
    assert run("evidence", "record", str(green), "--json").json()["frozen"] == []
    outdated = run("evidence", "record", str(red), "--json")
    assert (outdated.code, outdated.error()["code"]) == (2, "evidence.outdated")


def test_what_cannot_be_recorded_is_said(home: Home, run: Run) -> None:
    assert run("evidence", "record", "nothing.json").code == 2
    assert run("evidence", "record").code == 2
    METRICS.mkdir(parents=True)
    assert run("evidence", "verify", str(METRICS)).code == 2
    path = write(sample(at=time.time()), METRICS)
    sidecar(path).write_text("{}")
    refused = run("evidence", "record", str(path), "--json")
    assert refused.error()["code"] == "key.bad-signature"
    assert refused.code == 1

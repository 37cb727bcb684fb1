"""What an operator and an auditor see of a ledger."""

import base64
import json
import shutil
import sqlite3
import tarfile
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from control_plane.clock import Clock
from control_plane.ledger.home import Home
from control_plane.ledger.journal import Journal
from control_plane.ledger.notes import Note, Verifier
from control_plane.ledger.opening import Opened
from control_plane.ledger.proofs import root_from_inclusion
from tests.cli.conftest import CATALOGUE, Run, grow


def change(home: Home, statement: str) -> None:
    connection = sqlite3.connect(home.database)
    with connection:
        connection.execute(statement)
    connection.close()


def leave_journal(home: Home, frames: int) -> str:
    """What a writer leaves that was killed before its commit; its name."""
    journal = Journal(home.journal, segments=1, segment_bytes=1 << 16)
    for number in range(frames):
        journal.append(b"\x09test.seen" + b'{"at":1.0,"n":%d}' % number)
    journal.close()
    return journal.writer


@pytest.mark.requirement("LEDGER-41", "LEDGER-36")
def test_init_makes_a_home_and_says_where_everything_lies(tmp_path: Path, run: Run, own_environment: Path) -> None:
    root = tmp_path / "deep" / "home"
    ran = run("init", "--home", str(root))
    assert (ran.code, ran.err) == (0, "")
    for named in (
        root,
        root / "ledger.db",
        root / "keys" / "ledger.key",
        root / "keys" / "recovery.key",
        own_environment,
    ):
        assert str(named) in ran.out
    assert "offline" in ran.out


def test_init_again_changes_nothing(tmp_path: Path, run: Run) -> None:
    root = tmp_path / "home"
    first = run("init", "--home", str(root), "--json").json()
    second = run("init", "--home", str(root), "--json").json()
    assert (first.pop("made"), second.pop("made")) == (True, False)
    assert (first.pop("arms_from"), second.pop("arms_from")) == ("an example", "there already")
    assert first == second
    assert set(first) == {
        "home", "ledger", "origin", "database", "key", "verifier_key", "may_sign", "recovery_key",
        "recovery_key_is_here", "witness", "position", "catalogue",
    }  # fmt: skip
    Home(root).recovery_key.unlink()
    assert "offline" not in run("init", "--home", str(root)).out


@pytest.mark.parametrize("name", ["a b", "50% off", "what?", "no#1", "quo'te", "%41", "ü", "a+b", "-"])
def test_a_home_may_have_any_name(name: str, tmp_path: Path, run: Run) -> None:
    root = tmp_path / name
    assert run("init", "--home", str(root)).code == 0
    assert (root / "ledger.db").is_file()
    assert run("ledger", "verify", "--home", str(root), "--json").json()["ok"]
    assert run("ledger", "rotate-key", "--home", str(root)).code == 0
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [name]


@pytest.mark.requirement("LEDGER-79")
def test_verify_says_that_all_is_as_signed(home: Home, run: Run) -> None:
    ran = run("ledger", "verify", "--json")
    assert ran.code == 0
    facts = ran.json()
    assert {key: facts[key] for key in ("ok", "events", "position", "first_bad", "reason")} == {
        "ok": True, "events": 3, "position": 3, "first_bad": None, "reason": None,
    }  # fmt: skip
    assert facts["root"] == run("ledger", "head", "--json").json()["root"]
    assert run("ledger", "verify").out.startswith("ok  3 events, all as signed\n")


@pytest.mark.requirement("LEDGER-79")
@pytest.mark.parametrize(
    ("statement", "position", "reason"),
    [
        ("UPDATE stored_events SET state = replace(state, '1.5', '2.5') WHERE rowid = 2", 2, "changed"),
        ("DELETE FROM stored_events WHERE rowid = 2", 2, "missing"),
        ("DELETE FROM stored_events WHERE rowid = 3", 3, "truncated"),
        ("UPDATE stored_events SET state = CAST(replace(state, '1.5', '2.5') AS BLOB) WHERE rowid = 1", None, None),
    ],
)
def test_verify_names_the_first_event_that_is_not_as_signed(
    home: Home, run: Run, statement: str, position: int | None, reason: str | None
) -> None:
    """The last statement changes nothing, so it must be found to be fine."""
    change(home, statement)
    ran = run("ledger", "verify", "--json")
    assert (ran.code, ran.json()["ok"]) == ((1, False) if reason else (0, True))
    assert (ran.json()["first_bad"], ran.json()["reason"]) == (position, reason)
    if reason:
        assert run("ledger", "verify").out.startswith(f"NOT OK  {reason} at position {position}\n")


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM checkpoints", "DROP TABLE checkpoints", "DROP TABLE tiles", "DROP TABLE stored_events",
     "UPDATE checkpoints SET note = 'x'", "DELETE FROM stored_events"],
)  # fmt: skip
def test_a_ledger_that_cannot_even_be_opened_gets_a_verdict(home: Home, run: Run, statement: str) -> None:
    leave_journal(home, 2)
    change(home, statement)
    ran = run("ledger", "verify", "--json")
    assert (ran.code, ran.json()["ok"]) == (1, False)
    assert "Traceback" not in ran.err


def test_an_old_copy_put_back_fails_verification_and_warns_beside_every_result(home: Home, run: Run) -> None:
    copy = str(home.root.parent / "copy")
    shutil.copytree(home.root, copy)
    grow(home, 2)
    ran = run("ledger", "verify", "--home", copy, "--json")
    assert (ran.code, ran.json()["reason"]) == (1, "rollback")
    for words in (("head",), ("checkpoint",)):
        ran = run("ledger", *words, "--home", copy)
        assert ran.code == 1
        assert ran.out
        assert ran.err.startswith("do not rely on this: ")


@pytest.mark.requirement("LEDGER-80")
def test_head_prints_position_and_root(home: Home, run: Run) -> None:
    facts = run("ledger", "head", "--json").json()
    assert (facts["position"], facts["origin"]) == (3, home.identity().origin)
    lines = run("ledger", "head").out.splitlines()
    assert [line.split() for line in lines[:2]] == [["position", "3"], ["root", facts["root"]]]


@pytest.mark.requirement("LEDGER-81")
def test_checkpoint_prints_a_note_that_the_printed_key_verifies(home: Home, run: Run) -> None:
    note = Note.parse(run("ledger", "checkpoint").out)
    note.signed_by([Verifier.parse(run("ledger", "key").out)])
    head = run("ledger", "head", "--json").json()
    assert note.text.splitlines() == [head["origin"], str(head["position"]), head["root"]]
    assert run("ledger", "checkpoint", "--json").json()["note"] == run("ledger", "checkpoint").out


@pytest.mark.parametrize("words", [("verify",), ("head",), ("checkpoint",)])
def test_what_dead_writers_left_is_committed_first_and_said(home: Home, run: Run, words: tuple[str, ...]) -> None:
    leave_journal(home, 5)
    ran = run("ledger", *words, "--json")
    assert (ran.code, ran.json()["position"]) == (0, 3 + 5 + 1), "five events and the report that they came back"
    assert ran.err == "5 events of writers that are gone were committed first\n"
    assert run("ledger", *words).err == ""


@pytest.mark.parametrize("words", [("verify",), ("head",), ("checkpoint",), ("key",), ("witness",), ("journal",)])
def test_looking_changes_nothing(home: Home, run: Run, words: tuple[str, ...]) -> None:
    def content() -> dict[str, bytes]:
        files = (path for path in home.root.rglob("*") if path.is_file())
        return {path.name: path.read_bytes() for path in files if not path.name.endswith(("-shm", "-wal", "lock"))}

    before = content()
    assert run("ledger", *words).code == 0
    assert content() == before


def test_journals_that_nobody_can_commit_are_a_warning_beside_the_verdict(home: Home, run: Run) -> None:
    leave_journal(home, 5)
    home.key.unlink()
    ran = run("ledger", "verify", "--json")
    assert (ran.code, ran.json()["position"]) == (0, 3)
    assert '"key.missing"' in ran.err
    assert run("ledger", "journal", "--json").json()["journals"][0]["waiting"] == 5


@pytest.mark.requirement("LEDGER-87")
def test_witness_shows_updates_and_resets(home: Home, run: Run) -> None:
    opened = Opened(home, CATALOGUE, Clock())
    opened.backend.insert("test", 3, ["test.seen"], [b"{}"])
    opened.close()
    assert run("ledger", "witness", "--json").json()["state"] == "behind"
    facts = run("ledger", "witness", "--update", "--json").json()
    assert (facts["state"], facts["position"], facts["head"]) == ("agrees", 4, 4)
    Path(facts["path"]).unlink()
    assert run("ledger", "witness", "--json").json()["state"] == "absent"
    assert run("ledger", "witness", "--update", "--json").json()["state"] == "agrees"


@pytest.mark.requirement("LEDGER-87")
def test_a_witness_that_saw_more_is_reset_on_purpose_only(home: Home, run: Run) -> None:
    copy = str(home.root.parent / "copy")
    shutil.copytree(home.root, copy)
    grow(home, 2)
    for words in ((), ("--update",)):
        ran = run("ledger", "witness", *words, "--home", copy)
        assert ran.code == 1
        assert "ledger.rollback" in ran.err
    assert run("ledger", "witness", "--reset", "--home", copy).code == 2
    assert run("ledger", "verify", "--home", copy).code == 1
    assert run("ledger", "witness", "--reset", "--yes", "--home", copy).code == 0
    assert run("ledger", "verify", "--home", copy).code == 0


def test_a_damaged_witness_is_named_and_can_be_reset(home: Home, run: Run) -> None:
    path = Path(run("ledger", "witness", "--json").json()["path"])
    path.write_bytes(b"?")
    ran = run("ledger", "witness", "--json")
    assert (ran.code, ran.json()["state"]) == (1, "refused")
    assert run("ledger", "verify").code == 1
    assert run("ledger", "witness", "--reset", "--yes").code == 0
    assert run("ledger", "verify").code == 0


def test_journal_tells_running_writers_from_dead_ones_and_counts_what_waits(home: Home, run: Run) -> None:
    assert run("ledger", "journal").out == "no journals\n"
    dead = leave_journal(home, 4)
    running = Journal(home.journal, segments=1, segment_bytes=1 << 16)
    running.append(b"\x09test.seen{}")
    found = {entry["writer"]: entry for entry in run("ledger", "journal", "--json").json()["journals"]}
    assert found == {
        dead: {"writer": dead, "running": False, "waiting": 4, "damaged": 0},
        running.writer: {"writer": running.writer, "running": True, "waiting": 1, "damaged": 0},
    }
    assert len(run("ledger", "journal").out.splitlines()) == 3
    assert run("ledger", "verify", "--json").json()["position"] == 3 + 4 + 1
    running.close()


@pytest.mark.requirement("LEDGER-83")
def test_prove_prints_a_proof_that_leads_from_the_event_to_the_checkpoint(home: Home, run: Run) -> None:
    proof = run("ledger", "prove", "2").out
    head, _, note = proof.partition("\n\n")
    assert head.splitlines()[:2] == ["c2sp.org/tlog-proof@v1", "index 1"]
    assert note == run("ledger", "checkpoint").out
    leaf = base64.b64decode(json.loads(run("ledger", "export").out.splitlines()[1])["leaf"])
    path = [base64.b64decode(line) for line in head.splitlines()[2:]]
    root = root_from_inclusion(sha256(b"\0" + leaf).digest(), 1, 3, path)
    assert base64.b64encode(root).decode() == run("ledger", "head", "--json").json()["root"]
    assert run("ledger", "prove", "2", "--json").json() == {"position": 2, "proof": proof}


def test_prove_refuses_an_event_that_was_changed(home: Home, run: Run) -> None:
    change(home, "UPDATE stored_events SET state = x'7b7d' WHERE rowid = 2")
    ran = run("ledger", "prove", "2", "--json")
    assert (ran.code, ran.out, ran.error()["code"]) == (1, "", "proof.invalid")


@pytest.mark.requirement("LEDGER-84")
def test_export_prints_each_event_with_its_leaf(home: Home, run: Run) -> None:
    ran = run("ledger", "export", "--format", "jsonl")
    assert (ran.code, ran.err) == (0, "")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [line["position"] for line in lines] == [1, 2, 3]
    assert set(lines[1]) == {"position", "stream", "version", "topic", "time", "data", "leaf"}
    assert base64.b64decode(lines[1]["leaf"]).endswith(b'test.seen{"at": 1.5, "n": 1}')
    assert run("ledger", "export", "--out", "log.jsonl", "--json").json() == {
        "format": "jsonl", "out": "log.jsonl", "events": 3,
    }  # fmt: skip
    assert Path("log.jsonl").read_text() == ran.out


@pytest.mark.requirement("LEDGER-85")
def test_export_writes_tiles_into_a_folder_and_the_same_into_one_file(home: Home, run: Run) -> None:
    assert run("ledger", "export", "--format", "tiles", "--out", "tiles").code == 0
    tiles = {
        path.relative_to("tiles").as_posix(): path.read_bytes() for path in Path("tiles").rglob("*") if path.is_file()
    }
    assert set(tiles) == {"checkpoint", "tile/0/000.p/3", "tile/entries/000.p/3"}
    assert tiles["checkpoint"].decode() == run("ledger", "checkpoint").out
    for name in ("a.tar.gz", "b.tar.gz"):
        assert run("ledger", "export", "--format", "archive", "--out", name).code == 0
    with tarfile.open("a.tar.gz") as archive:
        packed = {entry.name: archive.extractfile(entry).read() for entry in archive}
    assert packed == tiles
    assert Path("a.tar.gz").read_bytes() == Path("b.tar.gz").read_bytes()
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["a.tar.gz", "b.tar.gz", "tiles"]


def test_a_broken_export_leaves_nothing_under_its_name(home: Home, run: Run) -> None:
    Path("old.jsonl").write_text("old")
    change(home, "DELETE FROM stored_events WHERE rowid = 2")
    for name in ("old.jsonl", "new.jsonl", "new.tar.gz"):
        form = "archive" if name.endswith("gz") else "jsonl"
        ran = run("ledger", "export", "--format", form, "--out", name, "--json")
        assert (ran.code, ran.error()["code"]) == (1, "ledger.damaged")
    assert [(path.name, path.read_text()) for path in Path.cwd().iterdir()] == [("old.jsonl", "old")]


@pytest.mark.parametrize(
    "words", [("--format", "tiles"), ("--format", "archive"), ("--out", "nowhere/x"), ("--out", "."),
              ("--format", "tiles", "--out", "/dev/null")]
)  # fmt: skip
def test_an_export_to_an_impossible_place_is_a_coded_error(home: Home, run: Run, words: tuple[str, ...]) -> None:
    ran = run("ledger", "export", *words, "--json")
    assert (ran.code, ran.out) == (2, "")
    assert ran.error()["code"] != "internal"


def test_an_export_to_a_device_is_written_as_it_is(home: Home, run: Run) -> None:
    assert run("ledger", "export", "--out", "/dev/null", "--json").json()["events"] == 3
    assert Path("/dev/null").is_char_device()


def test_who_only_reads_goes_on_while_another_process_holds_the_write_lock(home: Home, run: Run) -> None:
    with closing(sqlite3.connect(home.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        head = run("ledger", "head", "--json")
        assert (head.code, head.json()["position"]) == (0, 3)

"""Keys come and go by command."""

import base64
import hashlib
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from control_plane.errors import KeyRetired
from control_plane.ledger.home import Home
from control_plane.ledger.keys import create_key
from control_plane.ledger.notes import Note, Verifier
from tests.cli.conftest import Run, grow


def keys(run: Run) -> list[str]:
    return run("ledger", "key", "--json").json()["keys"]


def verified(run: Run) -> bool:
    ran = run("ledger", "verify", "--json")
    assert (ran.code == 0) is ran.json()["ok"], ran
    return ran.json()["ok"]


@pytest.fixture
def other_host(home: Home, tmp_path: Path) -> Path:
    """The verifier key of another host, in a file."""
    file = tmp_path / "other-host.pub"
    file.write_text(f"{create_key(tmp_path / 'other.key', home.identity().origin).verifier}\n")
    return file


def test_a_host_that_is_not_admitted_prints_the_key_that_another_admits(home: Home, run: Run, tmp_path: Path) -> None:
    admitted = home.key.read_bytes()
    home.key.unlink()
    other = create_key(home.key, home.identity().origin).verifier
    unknown = home.key.read_bytes()
    assert "[key.unknown]" in run("advise", "--task-type", "code.fix").err
    file = tmp_path / "other-host.pub"
    file.write_text(run("ledger", "key", "--own").out)
    assert (file.read_text(), keys(run)) == (f"{other}\n", [home.identity().root_key])
    assert run("ledger", "key", "--own", "--json").json() == {"key": str(other), "may_sign": False}
    home.key.write_bytes(admitted)
    assert run("ledger", "key", "admit", str(file)).code == 0
    home.key.write_bytes(unknown)
    assert run("ledger", "key", "--own", "--json").json()["may_sign"] is True
    assert run("advise", "--task-type", "code.fix").code == 0


def test_a_stranger_checks_the_head_after_a_rotation_by_what_the_page_says(home: Home, run: Run) -> None:
    """Without any code of ours: docs/ledger.md, Formats and Keys."""
    assert run("ledger", "rotate-key").code == 0
    body, _, line = run("ledger", "checkpoint").out.rpartition("\n\n")
    _, size, _ = body.split("\n")
    dash, name, encoded = line.strip().split(" ")
    hint, signature = base64.b64decode(encoded)[:4], base64.b64decode(encoded)[4:]
    found = []
    for term in run("ledger", "key", "--all", "--json").json()["terms"]:
        if term["since"] <= int(size) <= (term["until"] or int(size)):
            owner, short, raw = term["key"].split("+", 2)
            public = base64.b64decode(raw)
            own = hashlib.sha256(owner.encode() + b"\n" + public).digest()[:4]
            assert (public[:1], own.hex()) == (b"\x01", short)
            if (owner, own) == (name, hint):
                Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature, f"{body}\n".encode())
                found.append(term["until"])
    assert (dash, found) == ("—", [int(size)])


@pytest.mark.requirement("LEDGER-82")
def test_key_prints_the_verifier_key_as_name_hash_base64(home: Home, run: Run) -> None:
    ran = run("ledger", "key")
    assert ran.out == f"{home.identity().root_key}\n"
    name, short, _ = ran.out.strip().split("+", 2)
    assert (name, short) == (home.identity().origin, Verifier.parse(ran.out).hint.hex())


@pytest.mark.requirement("LEDGER-86")
def test_a_rotation_changes_the_key_and_leaves_the_log_verifiable(home: Home, run: Run) -> None:
    old = keys(run)[0]
    ran = run("ledger", "rotate-key", "--reason", "yearly", "--json")
    assert ran.code == 0
    assert ran.json() == {"position": 4, "admitted": keys(run)[0], "retired": [old]}
    assert old not in keys(run)
    grow(home, 2)
    assert verified(run)
    note = run("ledger", "checkpoint").out
    assert [str(signer) for signer in Note.parse(note).signed_by([Verifier.parse(keys(run)[0])])] == keys(run)


def test_key_all_shows_terms_and_the_recovery_key(home: Home, run: Run) -> None:
    run("ledger", "rotate-key")
    facts = run("ledger", "key", "--all", "--json").json()
    assert [(term["since"], term["until"]) for term in facts["terms"]] == [(0, 4), (4, None)]
    lines = run("ledger", "key", "--all").out.splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [["0", "4"], ["4", "now"]]
    assert lines[3].split() == [facts["recovery_key"], "(recovery)"]


@pytest.mark.parametrize("form", ["file", "text"])
def test_another_hosts_key_is_admitted_and_revoked(home: Home, other_host: Path, run: Run, form: str) -> None:
    text = other_host.read_text().strip()
    named = str(other_host) if form == "file" else text
    ran = run("ledger", "key", "admit", named, "--json")
    assert (ran.code, ran.json()["admitted"]) == (0, text)
    assert keys(run) == [home.identity().root_key, text]
    again = run("ledger", "key", "admit", named, "--json")
    assert (again.code, again.error()["code"]) == (2, "key.unknown")
    ran = run("ledger", "revoke-key", Verifier.parse(text).hint.hex(), "--json")
    assert (ran.code, ran.json()["retired"]) == (0, [text])
    assert keys(run) == [home.identity().root_key]
    assert verified(run)


def test_the_only_key_is_revoked_on_purpose_only(home: Home, run: Run) -> None:
    only = keys(run)[0]
    assert run("ledger", "revoke-key", only, "--json").error()["code"] == "input.invalid"
    assert keys(run) == [only]
    ran = run("ledger", "revoke-key", only, "--yes")
    assert ran.code == 0
    ran = run("ledger", "key")
    assert (ran.code, ran.out) == (0, "")
    assert "recovery key" in ran.err
    ran = run("ledger", "rotate-key", "--json")
    assert (ran.code, ran.error()["code"]) == (2, KeyRetired.code)
    assert "only the recovery key" in ran.error()["why"]
    assert run("ledger", "recover-key", "--recovery-key", str(home.recovery_key)).code == 0
    assert verified(run)


@pytest.mark.requirement("LEDGER-40")
def test_a_lost_key_is_replaced_with_the_offline_recovery_key(home: Home, tmp_path: Path, run: Run) -> None:
    offline = shutil.move(home.recovery_key, tmp_path / "offline.key")
    lost = keys(run)[0]
    home.key.unlink()
    assert verified(run), "an auditor needs no key"
    ran = run("ledger", "rotate-key", "--json")
    assert (ran.code, ran.error()["code"]) == (2, "key.missing")
    assert "recover-key" in ran.error()["cure"]
    ran = run("ledger", "recover-key", "--recovery-key", str(offline), "--json")
    assert (ran.code, ran.json()["retired"]) == (0, [lost])
    grow(home, 1)
    assert verified(run)


def test_the_recovery_key_has_the_authority_to_revoke(home: Home, other_host: Path, run: Run) -> None:
    run("ledger", "key", "admit", str(other_host))
    ran = run("ledger", "revoke-key", str(other_host), "--recovery-key", str(home.recovery_key))
    assert ran.code == 0
    assert keys(run) == [home.identity().root_key]


def test_of_several_keys_the_lost_one_is_named(home: Home, other_host: Path, run: Run) -> None:
    run("ledger", "key", "admit", str(other_host))
    lost = home.identity().root_key
    home.key.unlink()
    ran = run("ledger", "recover-key", "--recovery-key", str(home.recovery_key), "--json")
    assert "--lost" in ran.error()["cure"]
    ran = run("ledger", "recover-key", "--recovery-key", str(home.recovery_key), "--lost", lost, "--json")
    assert ran.json()["retired"] == [lost]


def test_no_key_changes_in_a_ledger_that_does_not_continue_what_the_witness_saw(home: Home, run: Run) -> None:
    copy = home.root.parent / "copy"
    shutil.copytree(home.root, copy)
    grow(home, 1)
    for words in (("rotate-key",), ("recover-key", "--recovery-key", str(home.recovery_key))):
        ran = run("--home", str(copy), "ledger", *words, "--json")
        assert (ran.code, ran.error()["code"]) == (1, "ledger.rollback")


def test_the_witness_sees_each_key_change(home: Home, run: Run) -> None:
    run("ledger", "rotate-key")
    assert run("ledger", "witness", "--json").json()["position"] == 4

"""Somebody who has none of our code can check everything that we say."""

import ast
import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from control_plane.ledger.export import export_jsonl, prove
from control_plane.ledger.home import Home
from control_plane.ledger.notes import Note
from control_plane.ledger.proofs import TileTree
from tests.ledger import independent, small
from tests.ledger.independent import Refused

FIRST, LAST = 300, 700


class Published:
    """What a home gives away: its key, two checkpoints, the export, proofs."""

    def __init__(self, home: Home) -> None:
        small.grow(home, FIRST - 1)
        self.key = home.identity().root_key
        self.first = checkpoint(home)
        small.grow(home, LAST - FIRST)
        self.last = checkpoint(home)
        parts: list[bytes] = []
        with small.opened(home) as held:
            export_jsonl(held, parts.append)
            self.proofs = {position: prove(held, position) for position in (1, 2, 256, 257, 512, LAST)}
            with held.backend.tree() as store:
                self.consistency = TileTree(LAST, store.tile).consistency(FIRST)
        self.lines = b"".join(parts).decode().splitlines(keepends=True)


def checkpoint(home: Home) -> str:
    with small.opened(home) as held, held.backend.tree() as store:
        note = store.last_note()
    assert note is not None
    return note


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("published")
        patch.setenv("CONTROL_PLANE_WITNESS", str(folder / "witness"))
        return Published(small.begin(folder / "home"))


def test_the_verifier_has_none_of_our_code() -> None:
    tree = ast.parse(Path(independent.__file__).read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= {*sys.stdlib_module_names, "cryptography"}


@pytest.mark.requirement("LEDGER-84", "LEDGER-116")
def test_the_export_leads_to_the_signed_root(published: Published) -> None:
    assert independent.check_export(published.lines, published.last, published.key) == LAST
    assert independent.check_export(published.lines[:FIRST], published.first, published.key) == FIRST


@pytest.mark.requirement("LEDGER-116")
def test_it_runs_as_a_program_without_the_package_in_reach(published: Published, tmp_path: Path) -> None:
    export, note = tmp_path / "export.jsonl", tmp_path / "checkpoint"
    note.write_text(published.last, encoding="utf-8")

    def run() -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-I", str(independent.__file__), str(export), str(note), published.key]
        return subprocess.run(program, check=False, capture_output=True, text=True, cwd=tmp_path, timeout=60)

    export.write_text("".join(published.lines), encoding="utf-8")
    assert (run().returncode, run().stdout) == (0, f"{LAST}\n")
    export.write_text("".join(published.lines[:-1]), encoding="utf-8")
    assert run().returncode == 1


def altered(line: str, **changes: object) -> str:
    return json.dumps({**json.loads(line), **changes}) + "\n"


@pytest.mark.requirement("LEDGER-116")
def test_a_falsified_export_is_refused(published: Published) -> None:
    lines = published.lines
    falsified = {
        "an event missing": lines[:400] + lines[401:],
        "the last missing": lines[:-1],
        "one twice": [*lines, lines[-1]],
        "two exchanged": [lines[1], lines[0], *lines[2:]],
        "other words, same leaf": [*lines[:9], altered(lines[9], data={"text": "other"}), *lines[10:]],
        "another stream, same leaf": [*lines[:9], altered(lines[9], stream="other"), *lines[10:]],
        "another topic, same leaf": [*lines[:9], altered(lines[9], topic="other"), *lines[10:]],
        "another version, same leaf": [*lines[:9], altered(lines[9], version=99), *lines[10:]],
        "leaf and words alike": [*lines[:9], altered(lines[10], position=10), *lines[10:]],
    }
    for forged in falsified.values():
        with pytest.raises(Refused):
            independent.check_export(forged, published.last, published.key)


@pytest.mark.requirement("LEDGER-117")
def test_the_notes_signature_is_checked(published: Published) -> None:
    origin, size, root = independent.open_note(published.last, published.key)
    assert (origin, size, root) == Note.parse(published.last).checkpoint()
    for forged in (
        published.last.replace(f"\n{LAST}\n", f"\n{LAST - 1}\n"),
        published.last.replace(base64.b64encode(root).decode(), base64.b64encode(bytes(32)).decode()),
        published.last.rpartition("\n\n")[0] + "\n\n" + published.first.rpartition("\n\n")[2],
        published.last.rpartition("\n\n")[0] + "\n\n",
    ):
        with pytest.raises(Refused):
            independent.open_note(forged, published.key)


@pytest.mark.requirement("LEDGER-83", "LEDGER-118")
def test_inclusion_proofs_hold_for_their_events_alone(published: Published) -> None:
    leaves = independent.leaves_of(published.lines)
    for position, proof in published.proofs.items():
        independent.check_proof(proof, leaves[position - 1], published.key)
        with pytest.raises(Refused):
            independent.check_proof(proof, leaves[position - 2], published.key)
        with pytest.raises(Refused):
            independent.check_proof(
                proof.replace(f"index {position - 1}\n", "index 5\n"), leaves[position - 1], published.key
            )
        with pytest.raises(Refused):
            independent.check_proof(drop_hash(proof), leaves[position - 1], published.key)


def drop_hash(proof: str) -> str:
    head, _, note = proof.partition("\n\n")
    return head.rpartition("\n")[0] + "\n\n" + note


@pytest.mark.requirement("LEDGER-119")
def test_the_later_log_contains_the_earlier_one(published: Published) -> None:
    leaves = independent.leaves_of(published.lines)
    old_root, root = independent.root_of(leaves[:FIRST]), independent.root_of(leaves)
    path = published.consistency
    independent.check_consistency(FIRST, old_root, LAST, root, path)
    for forged in (path[:-1], path[1:], path[::-1], [*path, root], [bytes(32), *path[1:]], []):
        with pytest.raises(Refused):
            independent.check_consistency(FIRST, old_root, LAST, root, forged)
    with pytest.raises(Refused):
        independent.check_consistency(FIRST, independent.root_of(leaves[1 : FIRST + 1]), LAST, root, path)
    with pytest.raises(Refused):
        independent.check_consistency(FIRST, old_root, LAST, independent.root_of(leaves[::-1]), path)

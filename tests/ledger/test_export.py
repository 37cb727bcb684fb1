"""What the log gives away: lines of JSON, a tlog-tiles folder, proofs."""

import base64
import json
from pathlib import Path

import pytest

from control_plane.errors import BadInput, EventTooLarge, HomeReadOnly, LedgerDamaged, ProofError
from control_plane.ledger.bundles import tile_path, unpack
from control_plane.ledger.export import export_jsonl, export_tiles, prove
from control_plane.ledger.home import Home
from control_plane.ledger.leaf import leaf_bytes
from control_plane.ledger.merkle import leaf_hash
from control_plane.ledger.notes import Note
from control_plane.ledger.proofs import read_tlog_proof, root_from_inclusion
from tests.ledger import reference, small


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return small.begin(tmp_path / "home")


def lines_of(home: Home) -> list[dict[str, object]]:
    parts: list[bytes] = []
    with small.opened(home) as held:
        count = export_jsonl(held, parts.append)
    lines = b"".join(parts).decode().splitlines()
    assert count == len(lines)
    return [json.loads(line) for line in lines]


@pytest.mark.requirement("LEDGER-84")
def test_a_line_says_everything_about_an_event(home: Home) -> None:
    small.grow(home, 1, at=12.5)
    line = lines_of(home)[1]
    assert list(line) == ["position", "stream", "version", "topic", "time", "data", "leaf"]
    state = b'{"v":1,"at":14.5,"text":"event 2"}'
    assert line == {
        "position": 2,
        "stream": "journal-0",
        "version": 1,
        "topic": "router.noted",
        "time": 14.5,
        "data": json.loads(state),
        "leaf": base64.b64encode(leaf_bytes("journal-0", 1, "router.noted", state)).decode(),
    }


STATES = {
    b"\x00\xff binary": ("AP8gYmluYXJ5", None),
    b"": ("", None),
    b'{"at": 1.5,\n  "text": "two lines"}': ({"at": 1.5, "text": "two lines"}, 1.5),
    b"[1, 2]": ([1, 2], None),
    b'"text"': ("text", None),
    b"null": (None, None),
    b'{"at": "noon"}': ({"at": "noon"}, "noon"),
    b'{"open": ': (base64.b64encode(b'{"open": ').decode(), None),
    b"1e999": (base64.b64encode(b"1e999").decode(), None),
    b"[" * 3000: (base64.b64encode(b"[" * 3000).decode(), None),
    '{"text": "Größe — 大"}'.encode(): ({"text": "Größe — 大"}, None),
}


def test_states_that_are_not_json_go_out_as_base64(home: Home) -> None:
    with small.opened(home) as held:
        held.backend.insert("odd", 1, ["router.odd"] * len(STATES), list(STATES))
    lines = lines_of(home)[1:]
    assert [(line["data"], line["time"]) for line in lines] == list(STATES.values())
    leaves = [base64.b64decode(str(line["leaf"])) for line in lines]
    assert all(leaf.endswith(state) for leaf, state in zip(leaves, STATES, strict=True))


def test_progress_is_told_to_its_end(home: Home) -> None:
    small.grow(home, 9000, batch=1000)
    told: list[tuple[int, int]] = []
    with small.opened(home) as held:
        export_jsonl(held, lambda part: None, lambda done, total: told.append((done, total)))
    assert told[-1] == (9001, 9001)
    assert len(told) == 3


def test_a_gap_is_an_error_not_a_shorter_export(home: Home) -> None:
    small.grow(home, 300)
    with small.tampering(home) as connection:
        connection.execute("DELETE FROM stored_events WHERE rowid = 123")
    with small.opened(home) as held, pytest.raises(LedgerDamaged, match="123"):
        export_jsonl(held, lambda part: None)


def test_a_row_that_cannot_be_an_event_is_an_error_with_its_position(home: Home, tmp_path: Path) -> None:
    small.grow(home, 300)
    with small.tampering(home) as connection:
        connection.execute("UPDATE stored_events SET state = 'text' WHERE rowid = 77")
    with small.opened(home) as held:
        for export in (lambda: export_jsonl(held, lambda part: None), lambda: export_tiles(held, tmp_path / "out")):
            with pytest.raises(LedgerDamaged, match="77"):
                export()


@pytest.mark.parametrize(
    ("number", "width", "path"),
    [
        (0, 256, "tile/0/000"),
        (7, 3, "tile/0/007.p/3"),
        (999, 256, "tile/0/999"),
        (1000, 256, "tile/0/x001/000"),
        (1234067, 256, "tile/0/x001/x234/067"),
        (1234067, 255, "tile/0/x001/x234/067.p/255"),
    ],
)
def test_tiles_are_where_the_layout_has_them(number: int, width: int, path: str) -> None:
    assert tile_path(0, number, width) == path


@pytest.mark.requirement("LEDGER-85")
@pytest.mark.parametrize("size", [1, 255, 256, 257, 700])
def test_a_folder_of_tiles_is_the_whole_log(home: Home, tmp_path: Path, size: int) -> None:
    small.grow(home, size - 1)
    folder = tmp_path / "out"
    with small.opened(home) as held:
        assert export_tiles(held, folder) == size
        rows = held.backend.rows(0, size)
    note = Note.parse((folder / "checkpoint").read_text(encoding="utf-8"))
    leaves: list[bytes] = []
    for number in range(-(-size // 256)):
        width = min(256, size - number * 256)
        leaves += unpack((folder / tile_path("entries", number, width)).read_bytes())
        tile = (folder / tile_path(0, number, width)).read_bytes()
        assert tile == b"".join(map(leaf_hash, leaves[number * 256 :]))
    assert leaves == [leaf_bytes(*row[1:]) for row in rows]
    assert note.checkpoint().root == reference.root(leaves)
    if size >= 256:
        assert (folder / tile_path(1, 0, size // 256)).read_bytes()[:32] == reference.root(leaves[:256])
    expected = 1 + 2 * -(-size // 256) + (size >= 256)
    assert sum(path.is_file() for path in folder.rglob("*")) == expected


def test_an_export_grows_with_the_log_and_is_not_mixed_with_another(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    for _ in range(3):
        small.grow(home, 200)
        with small.opened(home) as held:
            export_tiles(held, folder)
    assert Note.parse((folder / "checkpoint").read_text()).checkpoint().size == 601
    other = small.begin(tmp_path / "other")
    with small.opened(other) as held, pytest.raises(BadInput, match="another folder"):
        export_tiles(held, folder)
    (folder / "checkpoint").write_text("something else")
    with small.opened(home) as held, pytest.raises(BadInput):
        export_tiles(held, folder)


def test_a_folder_that_cannot_be_written_is_a_coded_error(home: Home, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with small.opened(home) as held, pytest.raises(HomeReadOnly):
        export_tiles(held, tmp_path / "file")


def test_a_leaf_that_no_bundle_can_hold_is_a_coded_error(home: Home, tmp_path: Path) -> None:
    with small.opened(home) as held:
        held.backend.insert("large", 1, ["router.large"], [b"x" * 65_536])
        assert export_jsonl(held, lambda part: None) == 2
        with pytest.raises(EventTooLarge, match="position 2"):
            export_tiles(held, tmp_path / "out")
    assert not (tmp_path / "out" / "checkpoint").exists()


def test_a_damaged_tile_is_not_exported(home: Home, tmp_path: Path) -> None:
    small.grow(home, 300)
    with small.tampering(home) as connection:
        connection.execute("UPDATE tiles SET hashes = x'00' WHERE level = 0 AND number = 0")
    with small.opened(home) as held, pytest.raises(LedgerDamaged, match="tile 0/0"):
        export_tiles(held, tmp_path / "out")


@pytest.mark.requirement("LEDGER-83")
def test_a_proof_leads_from_the_event_to_the_signed_root(home: Home) -> None:
    small.grow(home, 699)
    with small.opened(home) as held:
        for position in (1, 256, 257, 512, 513, 700):
            index, path, text = read_tlog_proof(prove(held, position))
            (row,) = held.backend.rows(position - 1, 1)
            note = Note.parse(text)
            checkpoint = note.checkpoint()
            assert note.signed_by(held.keyring().current())
            leaf = leaf_hash(leaf_bytes(*row[1:]))
            assert index == position - 1
            assert root_from_inclusion(leaf, index, checkpoint.size, path) == checkpoint.root


@pytest.mark.requirement("LEDGER-113", "LEDGER-114")
def test_no_proof_is_given_for_an_event_that_is_not_as_signed(home: Home) -> None:
    small.grow(home, 400)
    with small.tampering(home) as connection:
        connection.execute("UPDATE stored_events SET state = x'7b7d' WHERE rowid = 300")
        connection.execute("DELETE FROM stored_events WHERE rowid = 301")
    with small.opened(home) as held:
        assert prove(held, 299)
        for position in (300, 301):
            with pytest.raises(ProofError):
                prove(held, position)


@pytest.mark.parametrize("position", [0, -1, 402, 1 << 70])
def test_there_is_no_proof_for_a_position_outside_of_the_log(home: Home, position: int) -> None:
    small.grow(home, 400)
    with small.opened(home) as held, pytest.raises(BadInput, match="1 to 401"):
        prove(held, position)


def test_a_proof_from_a_tree_that_was_changed_is_refused(home: Home) -> None:
    small.grow(home, 400)
    with small.tampering(home) as connection:
        connection.execute("UPDATE tiles SET hashes = zeroblob(8192) WHERE level = 0 AND number = 0")
    with small.opened(home) as held, pytest.raises(ProofError):
        prove(held, 10)

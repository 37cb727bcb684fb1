"""The log in formats that others read: JSON lines, the C2SP tlog-tiles layout, and proofs of single events.

export_jsonl(opened, write, on_progress=…) -> events
export_tiles(opened, folder, on_progress=…) -> events
prove(opened, position) -> a C2SP tlog-proof
"""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from ..errors import BadInput, HomeReadOnly, LedgerDamaged, ProofError
from ..replacing import replace
from .backend import Backend, Row
from .bundles import ENTRIES, pack, tile_path
from .leaf import leaf_bytes
from .merkle import HASH, TILE_WIDTH, leaf_hash
from .notes import MalformedNote, Note
from .opening import Opened
from .proofs import TileTree, root_from_inclusion, tlog_proof
from .scanpool import OnProgress
from .trust import tile_sizes

_CHUNK = 16 * TILE_WIDTH
_CHECKPOINT = "checkpoint"


def _silent(_done: int, _total: int) -> None:
    return


def export_jsonl(opened: Opened, write: Callable[[bytes], object], on_progress: OnProgress = _silent) -> int:
    """One line an event: {position, stream, version, topic, time, data, leaf}; how many there were."""
    size = opened.backend.size()
    encode = msgspec.json.Encoder().encode_lines
    for rows in _chunks(opened.backend, size):
        write(encode(map(_line, rows)))
        on_progress(rows[-1][0], size)
    return size


def _line(row: Row) -> dict[str, Any]:
    position, stream, version, topic, state = row
    leaf = base64.b64encode(_leaf(row)).decode()
    try:
        data: Any = msgspec.json.decode(state)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        data = base64.b64encode(state).decode()
    return {
        "position": position,
        "stream": stream,
        "version": version,
        "topic": topic,
        "time": data.get("at") if isinstance(data, dict) else None,
        "data": data,
        "leaf": leaf,
    }


def export_tiles(opened: Opened, folder: Path, on_progress: OnProgress = _silent) -> int:
    """The whole log as static files that any tlog-tiles client can read; the checkpoint comes last."""
    try:
        return _export_tiles(opened, folder, on_progress)
    except OSError as fault:
        raise HomeReadOnly(f"{folder} cannot be written", why=fault.strerror or str(fault)) from None


def _export_tiles(opened: Opened, folder: Path, on_progress: OnProgress) -> int:
    with opened.backend.tree() as store:
        text = store.last_note() or ""
        head = Note.parse(text).checkpoint()
        _check_folder(folder, head.origin)
        for (level, number), length in tile_sizes(head.size).items():
            hashes = store.tile(level, number)[:length]
            if len(hashes) != length:
                raise LedgerDamaged(f"tile {level}/{number} is too short", cure="run `control-plane ledger verify`")
            _write(folder / tile_path(level, number, length // HASH), hashes)
    for rows in _chunks(opened.backend, head.size):
        for start in range(0, len(rows), TILE_WIDTH):
            entries = rows[start : start + TILE_WIDTH]
            first = entries[0][0]
            path = tile_path(ENTRIES, (first - 1) // TILE_WIDTH, len(entries))
            _write(folder / path, pack(map(_leaf, entries), first))
        on_progress(rows[-1][0], head.size)
    _write(folder / _CHECKPOINT, text.encode())
    return head.size


def prove(opened: Opened, position: int) -> str:
    """A C2SP tlog-proof that the event at `position` is in the signed log, checked before it is given away."""
    with opened.backend.tree() as store:
        text = store.last_note() or ""
        head = Note.parse(text).checkpoint()
        if not 1 <= position <= head.size:
            raise BadInput(f"there is no event at position {position}", cure=f"name one from 1 to {head.size}")
        path = TileTree(head.size, store.tile).inclusion(position - 1)
    rows = opened.backend.rows(position - 1, 1)
    leaf = leaf_hash(_leaf(rows[0])) if rows and rows[0][0] == position else b""
    if root_from_inclusion(leaf, position - 1, head.size, path) != head.root:
        raise ProofError(
            f"the event at position {position} is not the one that was signed", cure="run `control-plane ledger verify`"
        )
    return tlog_proof(position - 1, path, text)


def _chunks(backend: Backend, size: int) -> Iterator[list[Row]]:
    """Every event up to `size`, in whole bundles; a gap is an error, never skipped."""
    after = 0
    while after < size:
        rows = backend.rows(after, min(_CHUNK, size - after))
        positions = [row[0] for row in rows]
        expected = list(range(after + 1, after + 1 + min(_CHUNK, size - after)))
        if positions != expected:
            missing = next(position for position in expected if position not in positions)
            raise LedgerDamaged(f"the event at position {missing} is missing", cure="run `control-plane ledger verify`")
        yield rows
        after += len(rows)


def _leaf(row: Row) -> bytes:
    position, stream, version, topic, state = row
    try:
        return leaf_bytes(stream, version, topic, state)
    except (TypeError, AttributeError, OverflowError) as fault:
        raise LedgerDamaged(
            f"the event at position {position} cannot be read", why=str(fault), cure="run `control-plane ledger verify`"
        ) from None


def _check_folder(folder: Path, origin: str) -> None:
    """An export may be continued, but never mixed with that of another log."""
    checkpoint = folder / _CHECKPOINT
    if not checkpoint.exists():
        return
    try:
        other = Note.parse(checkpoint.read_text()).checkpoint().origin
    except (MalformedNote, UnicodeDecodeError):
        other = "something else"
    if other != origin:
        raise BadInput(f"{folder} holds the export of {other}", cure="name another folder")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, content)

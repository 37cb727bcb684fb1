"""The beginning of the log moves out of the database into compressed bundles; whoever reads does not notice.

    archive_prefix(opened, before, on_progress=…) -> Archived        before: a position or a date
    archive_due(opened) -> the position before which to archive, None while the database is small enough

Bundles are written and synced first; then one transaction says so in the log and lets go of the rows. Whatever dies
in between leaves the rows, the bundles, or both, and the next run begins where this one stopped.
"""

import base64
import datetime
import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
from eventsourcing.persistence import IntegrityError, PersistenceError

from ..errors import ArchiveRefused, BadInput, HomeReadOnly, LedgerDamaged, LedgerUnavailable
from ..replacing import replacing, sync_folder
from .archived import Retired, runs_of
from .audit import verify
from .backend import Row
from .bundles import archived_path, pack
from .facts import STREAM, PrefixArchived
from .leaf import leaf_bytes
from .merkle import HASH, TILE_WIDTH, leaf_hash
from .opening import Opened
from .scanpool import OnProgress
from .sqlite_backend import SQLiteBackend

# The database may weigh so much before its older half is archived.
ARCHIVE_AT = 1 << 30
# One transaction lets go of so many bundles: about a second's work, for which writers wait.
STEP = 512
_GZIP = 31
_SYNCING = 8


class Archived(msgspec.Struct, frozen=True):
    """What an archiving did: all events up to `through` are in the archive, `moved` of them since now."""

    through: int
    moved: int
    compacted: bool


class _At(msgspec.Struct):
    at: float | None = None


def archive_due(opened: Opened, limit: int = ARCHIVE_AT) -> int | None:
    """The position before which to archive: the older half of what a too large database holds."""
    backend = opened.backend
    if not isinstance(backend, SQLiteBackend) or backend.live_bytes() < limit:
        return None
    through = backend.archived_through()
    before = through + (backend.size() - through) // 2
    return before if before - through > TILE_WIDTH else None


def archive_prefix(
    opened: Opened,
    before: int | datetime.datetime,
    *,
    workers: int = 1,
    on_progress: OnProgress = lambda _done, _total: None,
) -> Archived:
    """Move the events before a position or date, in whole bundles of 256, once the whole log has been verified."""
    backend = opened.backend
    if not isinstance(backend, SQLiteBackend):
        raise ArchiveRefused("only a ledger in SQLite has an archive", cure="let PostgreSQL partition its own tables")
    with opened.home.locked():
        first = backend.archived_through()
        through = _boundary(backend, before, first) // TILE_WIDTH * TILE_WIDTH
        if through <= first:
            return Archived(first, 0, False)
        verdict = verify(opened.home, workers)
        if not verdict.ok:
            raise LedgerDamaged(
                f"nothing was archived: {verdict.reason} at position {verdict.first_bad}",
                why=verdict.detail,
                cure="run `control-plane ledger verify`",
            )
        for start in range(first, through, STEP * TILE_WIDTH):
            _move(opened, backend, start, min(start + STEP * TILE_WIDTH, through))
            on_progress(min(start + STEP * TILE_WIDTH, through) - first, through - first)
        compacted = backend.compact()
    opened.sight()
    return Archived(through, through - first, compacted)


def _boundary(backend: SQLiteBackend, before: int | datetime.datetime, after: int) -> int:
    """The last position that may be archived."""
    size = backend.size()
    if isinstance(before, int):
        if before < 1:
            raise BadInput(f"there is no event before position {before}", cure=f"name one from 2 to {size + 1}")
        return min(before - 1, size)
    if before.tzinfo is None:
        raise BadInput(f"{before} has no time zone", cure="add one, for example Z or +02:00")
    limit, decode = before.timestamp(), msgspec.json.Decoder(_At).decode
    while rows := backend.rows(after, STEP):
        for position, _, _, _, state in rows:
            try:
                at = decode(state).at
            except (msgspec.DecodeError, UnicodeDecodeError):
                at = None
            # The first event that is young enough ends the prefix: positions order the log, clocks may jump.
            if at is not None and at >= limit:
                return int(position) - 1
        after = rows[-1][0]
    return after


def _move(opened: Opened, backend: SQLiteBackend, after: int, through: int) -> None:
    rows = backend.rows(after, through - after)
    _check(backend, rows, after)
    try:
        _write(opened.home.archive, rows)
    except OSError as fault:
        raise HomeReadOnly(
            f"{opened.home.archive} cannot be written", why=os.strerror(fault.errno or 0), cure="nothing was removed"
        ) from None
    root = base64.b64encode(opened.root_at(through)).decode()
    moved = Retired(through, root, runs_of(rows))
    fact = PrefixArchived(at=opened.clock.now(), through=through, root=moved.root)
    _retire(opened, backend, moved, fact)


def _retire(opened: Opened, backend: SQLiteBackend, moved: Retired, fact: PrefixArchived) -> None:
    state = opened.catalogue.encode(fact)
    while True:
        try:
            backend.retire(moved, STREAM, backend.stored_upto(STREAM) + 1, fact.TOPIC, state)
            return
        except IntegrityError:
            continue  # another process wrote to this stream between our look and our turn
        except PersistenceError as fault:
            raise LedgerUnavailable(
                "the archive is written, its rows stay", why=str(fault), cure="try again"
            ) from fault


def _check(backend: SQLiteBackend, rows: list[Row], after: int) -> None:
    """What was verified a moment ago must still be what is moved."""
    leaves = [leaf_hash(leaf_bytes(*row[1:])) for row in rows]
    with backend.tree() as tree:
        for start in range(0, len(leaves), TILE_WIDTH):
            tile = tree.tile(0, (after + start) // TILE_WIDTH)
            if b"".join(leaves[start : start + TILE_WIDTH]) != tile or len(tile) != HASH * TILE_WIDTH:
                raise LedgerDamaged(
                    f"the log changed while it was archived, near position {after + start + 1}",
                    cure="run `control-plane ledger verify`",
                )


def _write(archive: Path, rows: list[Row]) -> None:
    bundles = [rows[start : start + TILE_WIDTH] for start in range(0, len(rows), TILE_WIDTH)]
    paths = [archived_path(archive, (bundle[0][0] - 1) // TILE_WIDTH) for bundle in bundles]
    folders = {folder for path in paths for folder in path.parents if folder.is_relative_to(archive)} | {archive.parent}
    for folder in sorted(folders):
        folder.mkdir(mode=0o700, exist_ok=True)
    # Each file waits for the disk: side by side they wait once.
    with ThreadPoolExecutor(_SYNCING) as pool:
        list(pool.map(_write_bundle, paths, bundles))
    for folder in folders:
        sync_folder(folder)


def _write_bundle(path: Path, rows: list[Row]) -> None:
    zipper = zlib.compressobj(wbits=_GZIP)
    content = zipper.compress(pack((leaf_bytes(*row[1:]) for row in rows), rows[0][0])) + zipper.flush()
    # The names are made durable once, when all are there.
    with replacing(path) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())

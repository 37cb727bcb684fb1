"""Entry bundles and paths of the C2SP tlog-tiles layout: up to 256 leaves in one file, each after its 16-bit length.

    tile/<level>/<N>            256 hashes          tile/<level>/<N>.p/<width>    fewer
    tile/entries/<N>            256 leaves          tile/entries/<N>.p/<width>    fewer

N is written in groups of three digits, all but the last after an x: 1234067 is x001/x234/067.
"""

import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import EventTooLarge, LedgerDamaged
from .leaf import MAX_LEAF
from .merkle import TILE_WIDTH

ENTRIES = "entries"
_GZIP = 31


def tile_path(level: int | str, number: int, width: int = TILE_WIDTH) -> str:
    groups = [f"{number % 1000:03}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03}")
    return f"tile/{level}/{'/'.join(groups)}" + (f".p/{width}" if width < TILE_WIDTH else "")


def pack(leaves: Iterable[bytes], first: int) -> bytes:
    """The leaves from position `first` on as one bundle."""
    parts: list[bytes] = []
    for position, leaf in enumerate(leaves, first):
        if len(leaf) > MAX_LEAF:
            raise EventTooLarge(
                f"the event at position {position:,} has {len(leaf):,} bytes",
                why=f"a tlog-tiles bundle holds leaves of up to {MAX_LEAF:,} bytes",
            )
        parts += (len(leaf).to_bytes(2), leaf)
    return b"".join(parts)


def unpack(bundle: bytes) -> Iterator[bytes]:
    """The leaves of a bundle, as far as it holds whole ones."""
    at = 0
    while at + 2 <= len(bundle):
        start, at = at + 2, at + 2 + int.from_bytes(bundle[at : at + 2])
        if at > len(bundle):
            return
        yield bundle[start:at]


def archived_path(archive: Path, number: int) -> Path:
    """Where the archive keeps bundle `number`: the layout's own path, compressed."""
    return archive / f"{tile_path(ENTRIES, number)}.gz"


def read_archived(archive: Path, number: int) -> list[bytes]:
    """The 256 leaves of an archived bundle, or a plain word about what is wrong with it."""
    path = archived_path(archive, number)
    first = number * TILE_WIDTH + 1
    try:
        leaves = list(unpack(zlib.decompress(path.read_bytes(), _GZIP)))
    except (OSError, zlib.error) as fault:
        raise _damaged(path, first, str(fault)) from None
    if len(leaves) != TILE_WIDTH:
        raise _damaged(path, first, f"it holds {len(leaves)} events")
    return leaves


def salvage(archive: Path, number: int) -> list[bytes] | None:
    """What can still be read of a damaged bundle; None when there is no file."""
    try:
        content = archived_path(archive, number).read_bytes()
    except OSError:
        return None
    unzip, bundle = zlib.decompressobj(_GZIP), b""
    try:
        for at in range(len(content)):
            bundle += unzip.decompress(content[at : at + 1])
    except zlib.error:
        pass
    return list(unpack(bundle))


def _damaged(path: Path, first: int, why: str) -> LedgerDamaged:
    return LedgerDamaged(
        f"the archived events {first:,} to {first + TILE_WIDTH - 1:,} cannot be read",
        why=f"{path.name}: {why}",
        cure="run `control-plane ledger verify`, restore the archive folder from a backup",
    )

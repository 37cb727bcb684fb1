"""Where an export goes: to stdout, into a file that appears whole or not at all, or into a folder."""

import contextlib
import gzip
import io
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from ..ledger.export import export_jsonl, export_tiles
from ..ledger.opening import Opened
from ..replacing import replacing
from .progress import Progress


def export_lines(opened: Opened, out: Path, progress: Progress) -> int:
    with _whole(out) as file:
        return export_jsonl(opened, file.write, progress)


def export_folder(opened: Opened, out: Path, progress: Progress) -> int:
    return export_tiles(opened, out, progress)


def export_archive(opened: Opened, out: Path, progress: Progress) -> int:
    """The tlog-tiles layout in one compressed file; the same log gives the same bytes."""
    with tempfile.TemporaryDirectory(dir=out.absolute().parent, prefix=".export-") as folder:
        events = export_tiles(opened, Path(folder), progress)
        with _whole(out) as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
            _pack(Path(folder), packed)
    return events


__all__ = ["EXPORTS", "export_jsonl"]

EXPORTS: dict[str, Callable[[Opened, Path, Progress], int]] = {
    "jsonl": export_lines,
    "tiles": export_folder,
    "archive": export_archive,
}


def _pack(folder: Path, packed: io.BufferedIOBase) -> None:
    with tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            entry.size = path.stat().st_size
            with path.open("rb") as content:
                archive.addfile(entry, content)


@contextlib.contextmanager
def _whole(out: Path) -> Iterator[IO[bytes]]:
    """Nobody finds half an export under its name; a device or a pipe is written as it is."""
    if out.exists() and not out.is_file():
        with out.open("wb") as file:
            yield file
        return
    with replacing(out, durable=True) as file:
        yield file

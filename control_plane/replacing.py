"""A file changes as a whole or not at all, whoever else writes it meanwhile; standard library, and little of it."""

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import IO

Path = str | os.PathLike[str]


@contextlib.contextmanager
def replacing(path: Path, *, mode: int = 0o666, durable: bool = False) -> Iterator[IO[bytes]]:
    """A draft that takes the name when all went well: where a link leads, with the rights of what was there.

    `mode` is for a file that is new. `durable` returns when the content would survive a power cut.
    """
    place = os.path.realpath(path)
    draft = f"{place}.{os.getpid()}-{os.urandom(4).hex()}.draft"
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), mode)
        with os.fdopen(handle, "wb") as file:
            with contextlib.suppress(FileNotFoundError):
                os.chmod(draft, stat.S_IMODE(os.stat(place).st_mode))
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(draft, place)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)
    if durable:
        sync_folder(os.path.dirname(place))


def replace(path: Path, content: bytes, *, mode: int = 0o666, durable: bool = False) -> None:
    with replacing(path, mode=mode, durable=durable) as file:
        file.write(content)


def sync_folder(folder: Path) -> None:
    """So that the names in it survive a power cut."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

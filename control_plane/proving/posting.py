"""Threads under load: somebody posts, somebody reads, somebody sleeps and is woken."""

import queue
import threading
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from ..bridge.drivers import SENT, Order, Outcome
from ..bridge.rules import Actor
from ..bridge.service import Bridge
from .latencies import Latencies

BOSS, POSTERS = Actor("boss", "coordinator", "w1"), 8


def call(bridge: Bridge, method: str, actor: Actor, **asked: Any) -> dict[str, Any]:
    return bridge.call(method, actor, msgspec.json.encode(asked))


def begin(bridge: Bridge, *participants: str, count: int = 1) -> list[str]:
    asked = {"workspace_id": "w1", "title": "load", "type": "workflow", "participants": list(participants)}
    return [call(bridge, "create_thread", BOSS, **asked)["thread_id"] for _ in range(count)]


class Poster:
    """Posts at a steady pace; every tenth message is for somebody who sleeps."""

    def __init__(self, bridge: Bridge, name: str, threads: Sequence[str], sleepers: Sequence[str]) -> None:
        self._bridge, self._actor = bridge, Actor(name, "participant", "w1")
        self._threads, self._sleepers = threads, sleepers
        self.posted, self.failures, self.took = 0, list[str](), Latencies()
        self._counting = threading.Lock()

    def run(self, rate: float, seconds: float) -> None:
        """As agents do: several post at the same time, and none waits for another's answer."""
        begun = time.monotonic()
        clients = [threading.Thread(target=self._post, args=(n, rate, seconds, begun)) for n in range(POSTERS)]
        for one in clients:
            one.start()
        for one in clients:
            one.join()

    def _post(self, first: int, rate: float, seconds: float, begun: float) -> None:
        pause, number = threading.Event(), first
        while (due := number / rate) < seconds:
            pause.wait(max(0.0, begun + due - time.monotonic()))
            places = self._sleepers if number % 10 == 9 and self._sleepers else self._threads
            at = time.time()
            try:
                call(self._bridge, "post_message", self._actor, thread_id=places[(number // 10 if places is
                     self._sleepers else number) % len(places)], kind="chat", body=f"{at:.6f} {'x' * 200}")  # fmt: skip
                with self._counting:
                    self.posted += 1
                    self.took.add(time.time() - at)
            except Exception as fault:
                self.failures.append(repr(fault))
            number += POSTERS


class Reader(threading.Thread):
    """Looks again and again at what came in the threads of the other process, as a server that pushes would."""

    def __init__(self, bridge: Bridge, threads: Sequence[str], *, blind: bool = False) -> None:
        super().__init__(daemon=True)
        self._bridge, self._cursors, self._ending = bridge, dict.fromkeys(threads, 0), threading.Event()
        self._actor, self._pause = Actor("eye", "auditor", "w1"), 2.5 if blind else 0.002
        self.seen, self.took, self.reads, self.failures = Latencies(), Latencies(), 0, 0
        self.gaps = 0

    def run(self) -> None:
        while not self._ending.wait(self._pause):
            self.look()
        self.look()

    def look(self) -> None:
        self._bridge.folder.catch_up()
        for thread, cursor in self._cursors.items():
            if self._bridge.state.threads[thread].last_seq > cursor:
                self._read(thread, cursor)

    def _read(self, thread: str, cursor: int) -> None:
        begun = time.monotonic()
        self.reads += 1
        try:
            page = call(self._bridge, "read_messages", self._actor, thread_id=thread, since_seq=cursor, limit=200)
        except Exception:
            self.failures += 1
            return
        now = time.time()
        self.took.add(time.monotonic() - begun)
        for message in page["messages"]:
            self.gaps += message["seq"] != self._cursors[thread] + 1
            self._cursors[thread] = message["seq"]
            self.seen.add(max(0.0, now - float(message["body"].split()[0])))

    def end(self) -> None:
        self._ending.set()
        self.join()


class Sleepers:
    """A runtime whose agents read and acknowledge as soon as they are woken."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge, self.woken, self._awake = bridge, Latencies(), queue.SimpleQueue[str | None]()
        self._agents = threading.Thread(target=self.run, daemon=True)
        self._agents.start()

    def wake(self, order: Order, quiet_s: float) -> Outcome:  # noqa: ARG002 - a contract
        now, sleeper = time.time(), Actor(order.agent, "participant", "w1")
        thread = self._bridge.state.threads[order.thread]
        since = thread.cursors.get(order.agent, 0)
        page = call(self._bridge, "read_messages", sleeper, thread_id=order.thread, since_seq=since, limit=1)
        if page["messages"]:
            self.woken.add(max(0.0, now - float(page["messages"][0]["body"].split()[0])))
        self._awake.put(order.thread)
        return SENT

    def end(self) -> None:
        self._awake.put(None)
        self._agents.join()

    def seen(self, order: Order) -> bool:  # noqa: ARG002 - as above
        return False

    def run(self) -> None:
        """The agents: they acknowledge as soon as they are awake."""
        while (name := self._awake.get()) is not None:
            seq = self._bridge.state.threads[name].last_seq
            call(self._bridge, "ack_read", Actor("sleeper", "participant", "w1"), thread_id=name, last_read_seq=seq)

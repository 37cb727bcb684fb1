"""One process under load: router, bridge and guard on one plane, each call that returned said aloud.

It is started by `python -m control_plane.soak.playing --play house {…}`, and told by lines of JSON which fault is on.
What it says is one system call a line, so that a kill cannot take back what was acknowledged.
"""

import contextlib
import itertools
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec

from ..bridge.drivers import SENT, Order, Outcome
from ..bridge.rules import Actor
from ..bridge.supervising import Supervisor
from ..cadence import Poll
from ..clock import Clock
from ..errors import ControlPlaneError, LedgerUnavailable
from ..plane import ControlPlane
from ..proving.bad_disk import make_full, make_slow
from ..proving.homes import flags
from ..proving.processes import heard
from ..router.terms import Arm, Policy, Task
from ..watching import Watch

WORKSPACE = "soak"
ARMS = tuple(Arm(name, prior=0.6) for name in ("acme/one", "acme/two", "other/three", "other/four", "third/five"))
KINDS = tuple(Task(type=f"kind-{number}", repo="acme/api") for number in range(20))
# Every so many decisions the arm that was just advised is down, for the first half of them.
OUTAGE = 60
ROUTER_S, BRIDGE_S, GUARD_S = 0.05, 0.1, 0.05
# What a call may answer while a fault is on; it is made again, and anything else breaks the soak.
EXCUSED = ("ledger.unavailable", "journal.full", "bridge.internal")
GUARDED, FREE = "src/db/client.ts", "src/app.ts"
# How a process ends whose database was away when it began: whoever started it does so again.
AGAIN = 75
Say = Callable[..., None]


def say(**words: object) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


class SteppedClock(Clock):
    """The machine's clock, set wrong by `ahead` seconds."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


class Routing:
    """Decisions with their results; one arm after another is down for a while."""

    def __init__(self, plane: ControlPlane, told: dict[str, Any], say: Say) -> None:
        self._say, self._down = say, ""
        self._plane, self._numbers, self._fault = plane, itertools.count(), told["fault"]
        self._batch = max(1, round(told["load"] * ROUTER_S))

    def __call__(self) -> None:
        for number in itertools.islice(self._numbers, self._batch):
            advice = self._plane.advise(KINDS[number % len(KINDS)])
            if number % OUTAGE == 0:
                self._down = advice.arm
            down = advice.arm == self._down and number % OUTAGE < OUTAGE // 2
            latency = 100.0 + number
            if not (self._fault == "lose-results" and number % 100 == 50):
                self._plane.record_result(
                    advice.decision_id, success=not down, error="server" if down else None, latency_ms=latency
                )
            self._say(result=[advice.decision_id, latency])


class Runtime:
    """Wakes nobody; says which attempt reached it."""

    def __init__(self, say: Say) -> None:
        self._say, self._seen = say, set[tuple[str, int]]()

    def wake(self, order: Order, quiet_s: float) -> Outcome:  # noqa: ARG002 - a contract
        self._seen.add((order.id, order.attempt))
        self._say(wake=[order.id, order.attempt])
        return SENT

    def seen(self, order: Order) -> bool:
        return (order.id, order.attempt) in self._seen


class Talking:
    """Posts in every thread until each post is acknowledged, reads what the others wrote, and settles it."""

    def __init__(self, plane: ControlPlane, told: dict[str, Any], say: Say) -> None:
        self._say = say
        self._bridge, self._threads, self._born = plane.bridge, told["threads"], f"{told['agent']}-{os.getpid()}"
        self._actor = Actor(told["agent"], "participant", WORKSPACE)
        self._supervisor = Supervisor(plane.bridge, {"noted": Runtime(say)})
        self._number = 0
        known = plane.bridge.state.threads
        # Who takes a killed one's place goes on where that one had settled.
        self._read = {name: known[name].cursors.get(self._actor.agent, 0) for name in self._threads}

    def __call__(self) -> None:
        if self._number % 20 == 0:
            self._call(
                "heartbeat_session", session_id=self._born, runtime="noted", management_mode="managed", resumable=True,
                status="idle",
            )  # fmt: skip
        thread = self._threads[self._number % len(self._threads)]
        key = f"{self._born}-{self._number}"
        # Now and then something that counts as progress: a thread without it is blocked.
        word = {"event_type": "fix_pushed"} if self._number % 4 < len(self._threads) else None
        posted = self._call(
            "post_message", thread_id=thread, kind="event" if word else "chat", body=f"message {key}", metadata=word,
            idempotency_key=key,
        )  # fmt: skip
        self._say(post=[thread, f"{self._actor.agent} {key}", posted["seq"]])
        self._number += 1
        self._follow(thread)
        self._supervisor.tick()

    def _follow(self, thread: str) -> None:
        since = self._read[thread]
        page = self._call("read_messages", thread_id=thread, since_seq=since, limit=100)
        found = [one["seq"] for one in page["messages"]]
        if found != list(range(since + 1, since + 1 + len(found))):
            self._say(broken=f"after message {since} of {thread} came {found[:5]}")
        self._call("ack_read", thread_id=thread, last_read_seq=page["next_seq"])
        self._read[thread] = page["next_seq"]

    def _call(self, method: str, **asked: object) -> dict[str, Any]:
        return self._bridge.call(method, self._actor, msgspec.json.encode(asked))


class Guarding:
    """Writes that must be stopped, and writes that must not."""

    def __init__(self, plane: ControlPlane, told: dict[str, Any], say: Say) -> None:
        self._say = say
        self._guard, self._session, self._numbers = plane.guard, told["agent"], itertools.count()

    def __call__(self) -> None:
        number = next(self._numbers)
        path = GUARDED if number % 2 else FREE
        answer = self._guard.check("edit", {"file_path": path}, session=f"{self._session}-{number // 50}")
        self._say(check=[answer.decision, path == GUARDED, str(answer.live)])


def steadily(name: str, every: float, work: Callable[[], None]) -> Poll:
    """What a fault may excuse is said, and tried again at the next beat; so is what it may not."""

    def run() -> None:
        try:
            work()
        except ControlPlaneError as fault:
            say(**{"refused" if fault.code in EXCUSED else "broken": f"{name}: {fault.code}: {fault}"})
        except Exception as fault:
            say(broken=f"{name}: {fault!r}")

    return Poll(name=name, owner="soak", interval=every, run=run, threaded=True)


class House:
    """The plane with its load, and the switches of the faults."""

    def __init__(self, plane: ControlPlane, clock: SteppedClock, told: dict[str, Any]) -> None:
        self._plane, self._clock, self._library = plane, clock, told["library"]
        self._watch = Watch(
            clock,
            (
                steadily("router", ROUTER_S, Routing(plane, told, say)),
                steadily("bridge", BRIDGE_S, Talking(plane, told, say)),
                steadily("guard", GUARD_S, Guarding(plane, told, say)),
            ),
            coordinated=False,
        )

    def run(self) -> None:
        self._watch.start()
        say(ready=os.getpid())
        while word := heard():
            self._heed(word)
            if "stop" in word:
                break
        self._watch.stop()

    def _heed(self, word: dict[str, Any]) -> None:
        if "ahead" in word:
            self._clock.ahead = word["ahead"]
        if "slow_ms" in word:
            make_slow(self._library, word["slow_ms"])
        if "full" in word:
            make_full(self._library, full=word["full"])
        if "felt" in word:
            counters = self._plane.ledger.counters
            say(
                felt=word["felt"], retries=counters.retries, lasts_ms=self._commit_ms() if word["felt"] == "slow" else 0
            )

    def _commit_ms(self) -> float:
        self._plane.record_result(arm=ARMS[0].name, task=KINDS[0], success=True)
        began = time.monotonic()
        # One that gives up has felt it, too.
        with contextlib.suppress(LedgerUnavailable):
            self._plane.flush()
        return (time.monotonic() - began) * 1e3


def main(told: dict[str, Any]) -> int:
    clock = SteppedClock()
    clock.ahead = told["ahead"]
    enforced = flags(OPENCODE_ENFORCEMENT_MODE="enforce")
    try:
        # Nobody's settings: neither the folder's nor the environment's.
        plane = ControlPlane.open(
            told["home"], state_dir=told["state"], catalogue=ARMS, policy=Policy(), clock=clock, flags=enforced
        )
    except LedgerUnavailable as fault:
        say(refused=f"opening: {fault.code}: {fault}")
        return AGAIN
    with plane:
        House(plane, clock, told).run()
    say(ended=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[3])))

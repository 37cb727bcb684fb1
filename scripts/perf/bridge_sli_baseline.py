"""The bridge's service levels: posts, reads, how soon a message is seen and a sleeper woken, across two processes.

One process posts, the other reads, supervises and posts as well; every commit is synced. Then a burst over HTTP from
16 clients, and reading in a short and in a long thread.

usage: python scripts/perf/bridge_sli_baseline.py [--quick] [--json] [--metrics DIR]
"""

import http.client
import json
import os
import random
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from control_plane import Arm, ControlPlane
from control_plane.bridge.events import MessagePosted
from control_plane.bridge.rules import Actor, message_id
from control_plane.bridge.service import Bridge
from control_plane.bridge.supervising import Supervisor
from control_plane.bridge.terms import Kind
from control_plane.evidence import Rollback, at_least, at_most, equal
from control_plane.evidence.template import Value
from control_plane.proving import Bars, Findings, Latencies, Process, run_proof, temporary_home
from control_plane.proving.posting import BOSS, Poster, Reader, Sleepers, begin, call
from control_plane.proving.processes import heard, say
from control_plane.watching import Watch, supervision

SCRIPT = "scripts/perf/bridge_sli_baseline.py"
ARMS = (Arm("acme/one"),)
# The seed's service levels, then ours.
POSTS, READS, SEEN_MS, WOKEN_MS = 0.990, 0.995, 2000.0, 3000.0
OUR_SEEN_MS, OUR_WOKEN_MS, FLAT = 50.0, 100.0, 0.20
THREADS, SLEEPERS, CLIENTS = 20, 40, 16


class Load(msgspec.Struct, frozen=True):
    seconds: float
    rate: float
    burst: int
    long: int
    pages: int


WHOLE, QUICK = Load(60.0, 200.0, 5000, 100_000, 2000), Load(4.0, 40.0, 320, 5000, 300)


def play_poster(told: dict[str, Any]) -> None:
    with ControlPlane.open(told["home"], catalogue=ARMS, background=False) as plane:
        poster = Poster(plane.bridge, "there", told["threads"], told["sleepers"])
        say(ready=True)
        heard()
        cpu = time.process_time()
        poster.run(told["rate"], told["seconds"])
        say(
            cpu=time.process_time() - cpu,
            posted=poster.posted,
            failures=poster.failures[:5],
            failed=len(poster.failures),
        )


class Steady(msgspec.Struct):
    """What the two processes saw."""

    posted: int
    failed: int
    rate: float
    reads: int
    reads_failed: int
    gaps: int
    seen: Latencies
    woken: Latencies
    took: Latencies
    cpu_s: float

    @property
    def reads_ok(self) -> float:
        return 1 - self.reads_failed / max(1, self.reads)


def steady(load: Load, fault: str) -> Steady:
    with temporary_home() as home, ControlPlane.open(home, catalogue=ARMS) as plane:
        bridge = plane.bridge
        here, there = begin(bridge, "here", count=THREADS), begin(bridge, "there", count=THREADS)
        sleeping = begin(bridge, "there", "sleeper", count=SLEEPERS)
        beat = {"session_id": "s", "runtime": "r", "management_mode": "managed", "resumable": True, "status": "idle"}
        call(bridge, "heartbeat_session", Actor("sleeper", "participant", "w1"), **beat)
        runtime, reader = Sleepers(bridge), Reader(bridge, there, blind=fault == "blind")
        watch = Watch(plane.ledger.clock, supervision(Supervisor(bridge, {"r": runtime})), coordinated=False)
        told = {
            "home": str(home),
            "threads": there,
            "sleepers": sleeping,
            "rate": load.rate / 2,
            "seconds": load.seconds,
        }
        other = Process(Path(__file__), "poster", told)
        assert other.next()["ready"]
        poster = Poster(bridge, "here", here, [])
        posting = threading.Thread(target=poster.run, args=(load.rate / 2, load.seconds), daemon=True)
        watch.start()
        reader.start()
        begun = time.monotonic()
        other.tell(go=True)
        posting.start()
        cpu = time.process_time()
        posting.join()
        ended = other.next()
        took = time.monotonic() - begun
        other.end()
        reader.end()
        watch.stop()
        runtime.end()
        used = time.process_time() - cpu + ended["cpu"]
        posted = poster.posted + ended["posted"]
        return Steady(
            posted, len(poster.failures) + ended["failed"], posted / took, reader.reads, reader.failures, reader.gaps,
            reader.seen, runtime.woken, poster.took, used / posted,
        )  # fmt: skip


def burst(count: int) -> tuple[int, int, bool, float]:
    """Posts from 16 clients at once over HTTP into one thread: answers that are no 200, 5xx, gapless, seconds."""
    import subprocess  # noqa: PLC0415 - only here

    with temporary_home() as home:
        with ControlPlane.open(home, catalogue=ARMS, background=False) as plane:
            (thread,) = begin(plane.bridge, "exec")
        command = [sys.executable, "-m", "control_plane", "--home", str(home), "serve", "--port", "0", "--json"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=home)  # noqa: S603
        try:
            assert server.stdout is not None
            told = json.loads(server.stdout.readline())
            token = Path(told["token_file"]).read_text().strip()
            statuses, seqs = list[int](), list[int]()
            each = [
                threading.Thread(target=_client, args=(told["url"], token, thread, n, count // CLIENTS, statuses, seqs))
                for n in range(CLIENTS)
            ]
            begun = time.monotonic()
            for one in each:
                one.start()
            for one in each:
                one.join()
            took = time.monotonic() - begun
        finally:
            server.terminate()
            server.wait(60)
        with ControlPlane.open(home, catalogue=ARMS, background=False) as plane:
            kept = _all(plane.bridge, thread)
    total = count // CLIENTS * CLIENTS
    gapless = sorted(seqs) == list(range(1, total + 1)) == kept
    return sum(s != 200 for s in statuses), sum(s >= 500 for s in statuses), gapless, took


def _client(url: str, token: str, thread: str, n: int, count: int, statuses: list[int], seqs: list[int]) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
    last = 0
    for number in range(count):
        body = json.dumps({"thread_id": thread, "kind": "chat", "body": f"{n} {number}"})
        connection.request("POST", "/v1/mcp/post_message", body, {"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        told = json.loads(answer.read())
        statuses.append(answer.status)
        if answer.status == 200:
            # To one client numbers only rise.
            assert told["seq"] > last
            last = told["seq"]
            seqs.append(last)
    connection.close()


def _all(bridge: Bridge, thread: str) -> list[int]:
    found: list[int] = []
    while True:
        page = call(bridge, "read_messages", BOSS, thread_id=thread, since_seq=len(found), limit=200)
        found += [message["seq"] for message in page["messages"]]
        if not page["has_more"]:
            return found


def fill(plane: ControlPlane, thread: str, count: int) -> None:
    """Messages as the rules would write them, a thousand a commit."""
    now = plane.ledger.clock.now()
    for start in range(1, count + 1, 1000):
        events = [
            MessagePosted(
                at=now, workspace="w1", actor="exec", role="participant", thread=thread,
                message=message_id(thread, seq), seq=seq, kind=Kind.CHAT, body=f"message {seq} {'x' * 200}",
            )
            for seq in range(start, min(start + 1000, count + 1))
        ]  # fmt: skip
        plane.ledger.append("bridge-w1", events)
    plane.folder.catch_up()


def reading(load: Load) -> dict[str, tuple[Latencies, Latencies]]:
    """Pages of a thread of 100 and of a long one: the newest page, and any page that nobody read lately."""
    chance = random.Random(7)  # noqa: S311 - which pages are read, again and again
    with temporary_home() as home, ControlPlane.open(home, catalogue=ARMS, background=False) as plane:
        bridge = plane.bridge
        short, long = begin(bridge, "exec", count=2)
        fill(plane, short, 100)
        fill(plane, long, load.long)
        found = {name: (Latencies(), Latencies()) for name in ("newest page", "any page, from the log")}
        for _ in range(load.pages):
            for at, (thread, count) in enumerate(((short, 100), (long, load.long))):
                found["newest page"][at].add(_page(bridge, thread, count - 50))
                since = chance.randrange(count - 50)
                bridge.forget()
                found["any page, from the log"][at].add(_page(bridge, thread, since))
                _page(bridge, thread, count - 50)
    return found


def _page(bridge: Bridge, thread: str, since: int) -> float:
    begun = time.perf_counter()
    page = call(bridge, "read_messages", BOSS, thread_id=thread, since_seq=since, limit=50)
    took = time.perf_counter() - begun
    assert len(page["messages"]) == 50
    return took


def polled() -> bool:
    """Without any supervisor: what was posted there is read here by cursor."""
    with temporary_home() as home, ControlPlane.open(home, catalogue=ARMS, background=False) as here:
        (thread,) = begin(here.bridge, "exec", "reviewer")
        with ControlPlane.open(home, catalogue=ARMS, background=False) as there:
            call(
                there.bridge,
                "post_message",
                Actor("exec", "participant", "w1"),
                thread_id=thread,
                kind="chat",
                body="x",
            )
        return len(_all(here.bridge, thread)) == 1


def figures(
    load: Load, went: Steady, burst_took: float, pages: dict[str, tuple[Latencies, Latencies]]
) -> dict[str, Value]:
    return {
        "posts_a_second": went.rate, "posts": went.posted, "wakes": went.woken.count,
        "wake_p50_ms": went.woken.at(50), "burst_posts": load.burst, "burst_s": burst_took,
        "cpu_ms_a_post": went.cpu_s * 1e3,
        "load_average": os.getloadavg()[0],
        **{f"{name}, 100 messages, p95 ms": short.at(95) for name, (short, _) in pages.items()},
        **{f"{name}, {load.long} messages, p95 ms": long.at(95) for name, (_, long) in pages.items()},
    }  # fmt: skip


def prove(quick: bool, fault: str = "") -> Findings:
    load = QUICK if quick else WHOLE
    bars = Bars(quick)
    went = steady(load, fault)
    refused, errors, gapless, burst_took = burst(load.burst)
    pages = reading(load)
    asked = went.posted + went.failed
    ratios = {name: long.at(95) / short.at(95) for name, (short, long) in pages.items()}
    return Findings(
        before=went.took.metrics("a post, until it is in the log", figures={"posts": went.posted}),
        after=went.seen.metrics(
            "from the begin of a post in one process until another has read it",
            figures=figures(load, went, burst_took, pages),
        ),
        criteria=(
            at_least("share of posts that succeed", went.posted / asked, POSTS if quick else 1.0),
            at_least("share of reads that succeed", went.reads_ok, READS if quick else 1.0),
            *bars.at_least("posts a second over two processes", went.rate, 0.9 * load.rate),
            *bars.at_most("p95 post-to-visible, ms", went.seen.at(95), OUR_SEEN_MS, seed=SEEN_MS),
            *bars.at_most("p95 message-to-wake, ms", went.woken.at(95), OUR_WOKEN_MS, seed=WOKEN_MS),
            at_least("wakes", went.woken.count, load.seconds / 4),
            equal("messages out of order", went.gaps, 0),
            equal("burst: posts that were refused", refused, 0),
            equal("burst: 5xx", errors, 0),
            equal("burst: every number once, in the log as answered", gapless, True),
            *(at_most(f"{name}: p95 of a long thread over that of a short one", ratio, 3.0 if quick else 1 + FLAT)
              for name, ratio in ratios.items()),
        ),
        rollback=Rollback(
            switch="no supervisor runs",
            validated=polled(),
            result="what was posted in another process is read by cursor, without any wake",
        ),
    )  # fmt: skip


def main(arguments: Sequence[str], fault: str = "") -> int:
    """`fault="blind"` lets the reader look every 2.5 s only, so that a test can see this fail."""
    return run_proof(
        "BRIDGE-SLI", SCRIPT, __doc__, lambda quick: prove(quick, fault), arguments, {"poster": play_poster}
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The drills of the bridge's runbooks: each fault is made, seen where its runbook says, and cured as it says.

usage: python scripts/ops/bridge_drills.py [--quick] [--json] [--metrics DIR]
"""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.jwk import OKPKey

from control_plane import Arm, ControlPlane
from control_plane.access.issuing import issue
from control_plane.bridge.drivers import SENT, Order, Outcome
from control_plane.bridge.drivers.fake import FakeRuntime
from control_plane.bridge.rules import Actor
from control_plane.bridge.service import Bridge
from control_plane.bridge.supervising import Supervisor
from control_plane.bridge.terms import Status
from control_plane.evidence import Rollback, equal
from control_plane.proving import Findings, HandClock, Latencies, run_proof, temporary_home

SCRIPT = "scripts/ops/bridge_drills.py"
ARMS = (Arm("acme/one"),)
BOSS, EXEC = Actor("boss", "coordinator", "w1"), Actor("exec", "participant", "w1")
REVIEWER = Actor("reviewer", "participant", "w1")
BEAT = {"session_id": "s", "runtime": "r", "management_mode": "managed", "resumable": True, "status": "idle"}


def call(bridge: Bridge, method: str, actor: Actor, **asked: Any) -> dict[str, Any]:
    return bridge.call(method, actor, msgspec.json.encode(asked))


def begin(bridge: Bridge) -> str:
    asked = {"workspace_id": "w1", "title": "drill", "type": "workflow", "participants": ["exec", "reviewer"]}
    name: str = call(bridge, "create_thread", BOSS, **asked)["thread_id"]
    return name


def say(bridge: Bridge, thread: str, actor: Actor = EXEC, body: str = "look", **more: Any) -> None:
    call(bridge, "post_message", actor, **({"thread_id": thread, "kind": "chat", "body": body} | more))


class Room:
    """A bridge in this process, on a clock that is set by hand."""

    def __init__(self, plane: ControlPlane, clock: HandClock, runtimes: dict[str, str]) -> None:
        self.bridge, self.clock, self.runtime = plane.bridge, clock, FakeRuntime()
        self.supervisor = Supervisor(self.bridge, {"r": self.runtime}, runtimes=runtimes)

    def tick(self, after: float = 0.0) -> None:
        self.clock.pass_by(after)
        self.supervisor.tick()

    def undeliverable(self, thread: str) -> list[str]:
        return [
            one["reason"] for one in call(self.bridge, "get_thread", EXEC, thread_id=thread).get("undeliverable", ())
        ]


@contextmanager
def room(**runtimes: str) -> Iterator[Room]:
    clock = HandClock()
    with temporary_home() as home, ControlPlane.open(home, catalogue=ARMS, clock=clock, background=False) as plane:
        yield Room(plane, clock, runtimes)


class Server:
    """`control-plane serve` as a process."""

    def __init__(self, home: Path, *words: str) -> None:
        command = [sys.executable, "-m", "control_plane", "--home", str(home), "serve", "--port", "0", "--json", *words]
        home.parent.mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=home.parent, env=environment
        )
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        self.url, self.token = told["url"], Path(told["token_file"]).read_text().strip()

    def ask(self, method: str, token: str | None = None, **asked: Any) -> tuple[int, dict[str, Any]]:
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.url}/v1/mcp/{method}",
            json.dumps(asked).encode(),
            {"Authorization": f"Bearer {token or self.token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read())
        except (urllib.error.URLError, ConnectionError):
            return 0, {}

    def ready(self) -> int:
        with urllib.request.urlopen(f"{self.url}/ready", timeout=30) as answer:  # noqa: S310
            return int(answer.status)

    def end(self, *, kill: bool = False) -> None:
        (self.process.kill if kill else self.process.terminate)()
        self.process.wait(60)
        if self.process.stdout is not None:
            self.process.stdout.close()


def service_unavailable() -> bool:
    """The server is killed; callers cannot reach it; it is started again and nothing that it accepted is lost."""
    with temporary_home() as home:
        server = Server(home / "plane")
        asked = {"workspace_id": "w1", "title": "drill", "type": "incident", "participants": ["exec"]}
        thread = server.ask("create_thread", **asked)[1]["thread_id"]
        said = {"thread_id": thread, "kind": "chat", "body": "still here", "idempotency_key": "k1"}
        first = server.ask("post_message", **said)[1]
        server.end(kill=True)
        away = server.ask("post_message", **said)[0]
        server = Server(home / "plane")
        try:
            again = server.ask("post_message", **said)[1]
            kept = server.ask("read_messages", thread_id=thread)[1]["messages"]
            return away == 0 and server.ready() == 200 and again == first and len(kept) == 1
        finally:
            server.end()


def storage_contention() -> bool:
    """Somebody else holds the database's lock for a second: a post waits, none is refused, order and numbers hold."""
    with temporary_home() as home, ControlPlane.open(home, catalogue=ARMS, background=False) as plane:
        thread = begin(plane.bridge)
        held, free = threading.Event(), threading.Event()

        def hold() -> None:
            lock = sqlite3.connect(home / "ledger.db", isolation_level=None)
            lock.execute("BEGIN IMMEDIATE")
            held.set()
            free.wait(1.0)
            lock.execute("ROLLBACK")
            lock.close()

        holder = threading.Thread(target=hold)
        holder.start()
        held.wait(10)
        begun = time.monotonic()
        say(plane.bridge, thread)
        waited = time.monotonic() - begun
        free.set()
        holder.join()
        say(plane.bridge, thread)
        page = call(plane.bridge, "read_messages", EXEC, thread_id=thread)
        return waited >= 0.5 and [one["seq"] for one in page["messages"]] == [1, 2]


def delivery_delay() -> bool:
    """No supervisor runs: who is waited for can be seen, the message can be read; a supervisor ends the delay."""
    with room() as here:
        call(here.bridge, "heartbeat_session", REVIEWER, workspace_id="w1", **BEAT)
        thread = begin(here.bridge)
        say(here.bridge, thread)
        here.clock.pass_by(600)
        waiting = call(here.bridge, "summarize_thread", BOSS, thread_id=thread)["waited_for"]
        readable = len(call(here.bridge, "read_messages", REVIEWER, thread_id=thread)["messages"]) == 1
        here.tick()
        call(here.bridge, "ack_read", REVIEWER, thread_id=thread, last_read_seq=1)
        after = call(here.bridge, "summarize_thread", BOSS, thread_id=thread)["waited_for"]
        return (
            [one["agent_id"] for one in waiting] == ["reviewer"]
            and readable
            and after == []
            and len(here.runtime.orders) == 1
        )


def authorization() -> bool:
    """A token of the wrong role is refused with the checks that it passed in the audit; one of the right one is not."""
    with temporary_home() as home:
        server = Server(home / "plane")
        try:
            told = {"workspace_id": "w1", "title": "drill", "type": "incident", "participants": ["exec"]}
            wrong, right = (
                issue(home / "plane", agent="a", role=role, workspace="w1", session="s", now=time.time())[0]
                for role in ("participant", "coordinator")
            )
            refused, code = server.ask("create_thread", wrong, **told)
            allowed, _ = server.ask("create_thread", right, **told)
        finally:
            server.end()
        command = [sys.executable, "-m", "control_plane", "--home", str(home / "plane"), "bridge", "audit", "--json"]
        rows = json.loads(subprocess.run(command, capture_output=True, check=True, cwd=home).stdout)  # noqa: S603
        traces = [row["payload"]["trace"][-1] for row in rows if row["result"] == "FORBIDDEN"]
        return (refused, code["error"]["code"], allowed, traces) == (403, "FORBIDDEN", 200, ["role: refused"])


def issuer_outage() -> bool:
    """An issuer's key is not known: its tokens are refused, the home's own still work; its JWKS cures it."""
    with temporary_home() as home:
        key = OKPKey.generate_key("Ed25519", auto_kid=True)
        now = int(time.time())
        claims = {"iss": "corp", "aud": "control-plane", "agent_id": "a", "workspace_id": "w1", "role": "auditor",
                  "session_id": "s", "iat": now, "exp": now + 600, "jti": "drill-1"}  # fmt: skip
        token = jwt.encode({"alg": "Ed25519"}, claims, key, algorithms=["Ed25519"])
        asked = {"thread_id": "th_none"}
        server = Server(home / "plane")
        try:
            refused, own = server.ask("get_thread", token, **asked)[0], server.ask("get_thread", **asked)[0]
        finally:
            server.end()
        (home / "jwks.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
        server = Server(home / "plane", "--jwks", str(home / "jwks.json"), "--issuer", "corp")
        try:
            # NOT_FOUND: the door let it in.
            return (refused, own, server.ask("get_thread", token, **asked)[0]) == (401, 404, 404)
        finally:
            server.end()


def escalation_flood() -> bool:
    """Many threads go in circles: each is blocked once, all are listed, and they go on when they are unblocked."""
    with room() as here:
        threads = [begin(here.bridge) for _ in range(5)]
        for thread in threads:
            for _ in range(3):
                say(
                    here.bridge, thread, REVIEWER, "the same", kind="event", metadata={"event_type": "finding_reported"}
                )
        blocked = here.bridge.threads(BOSS, status="blocked")
        counted = here.bridge.state.totals.loops
        for one in blocked:
            here.bridge.set_status(one["thread_id"], Status.ACTIVE, "seen to", BOSS)
        return (
            len(blocked) == 5
            and counted == {"identical-finding": 5}
            and not here.bridge.threads(BOSS, status="blocked")
        )


def wake_failure() -> bool:
    """A runtime never acknowledges: trigger, resume, spawn, then a dead letter that senders see; reading ends it."""
    with room(reviewer="r") as here:
        call(here.bridge, "heartbeat_session", REVIEWER, workspace_id="w1", **BEAT)
        thread = begin(here.bridge)
        say(here.bridge, thread)
        for _ in range(20):
            here.tick(10)
        steps = [str(order.step) for order in here.runtime.orders]
        lost = here.undeliverable(thread)
        call(here.bridge, "ack_read", REVIEWER, thread_id=thread, last_read_seq=1)
        return (
            steps == ["trigger"] * 3 + ["resume"] * 2 + ["spawn"] and lost == ["ACK_TIMEOUT"]
            and not here.undeliverable(thread) and len(here.bridge.jobs(BOSS, dead=True)) == 1
        )  # fmt: skip


def unmanaged_runtime() -> bool:
    """A session that may not be triggered is never typed into: the answer says why, and what is done instead."""
    with room(reviewer="r") as here:
        call(here.bridge, "heartbeat_session", REVIEWER, workspace_id="w1", **(BEAT | {"management_mode": "unmanaged"}))
        thread = begin(here.bridge)
        asked = {"thread_id": thread, "target_agent_id": "reviewer", "reason": "drill", "trigger_prompt": "look"}
        answer = call(here.bridge, "trigger_participant", BOSS, **asked)
        here.tick()
        told = (answer["action"], answer["fallback_action"], answer["fallback_reason"])
        return told == ("fallback_required", "resume", "RUNTIME_UNMANAGED") and [
            str(order.step) for order in here.runtime.orders
        ] == ["resume"]


def human_collision() -> bool:
    """A person types: the wake is put off every 5 s, after a minute it goes another way."""
    with room(reviewer="r") as here:
        call(here.bridge, "heartbeat_session", REVIEWER, workspace_id="w1", **BEAT)

        def answer(order: Order) -> Outcome:
            return Outcome("busy", "OPERATOR_BUSY") if order.step == "trigger" else SENT

        here.runtime.answer = answer
        thread = begin(here.bridge)
        say(here.bridge, thread)
        here.tick(1)
        deferred = here.bridge.jobs(BOSS)[0]["status"]
        for _ in range(12):
            here.tick(5)
        here.tick()
        return deferred == "deferred" and [str(order.step) for order in here.runtime.orders] == ["resume"]


DRILLS: dict[str, Callable[[], bool]] = {
    "service-unavailable": service_unavailable,
    "storage-contention": storage_contention,
    "delivery-delay": delivery_delay,
    "authorization": authorization,
    "issuer-outage": issuer_outage,
    "escalation-flood": escalation_flood,
    "wake-failure": wake_failure,
    "unmanaged-runtime": unmanaged_runtime,
    "human-collision": human_collision,
}
# Those that start no server of their own.
SHORT = tuple(name for name in DRILLS if name not in ("service-unavailable", "authorization", "issuer-outage"))


def prove(quick: bool, fault: str = "") -> Findings:
    chosen = SHORT if quick else tuple(DRILLS)
    took, outcomes = Latencies(), dict[str, bool]()
    for name in chosen:
        begun = time.monotonic()
        outcomes[name] = DRILLS[name]() and name != fault
        took.add(time.monotonic() - begun)
    with room() as here:
        thread = begin(here.bridge)
        say(here.bridge, thread)
        readable = len(call(here.bridge, "read_messages", REVIEWER, thread_id=thread)["messages"]) == 1
    seconds = took.metrics("a drill, from its fault to its cure", figures={"drills": len(chosen)})
    return Findings(
        before=seconds,
        after=seconds,
        criteria=tuple(equal(f"bridge-{name}", shown, True) for name, shown in outcomes.items()),
        rollback=Rollback(
            switch="no supervisor runs", validated=readable, result="agents read by cursor; nobody is woken"
        ),
        not_run=tuple(f"{name}: the short form starts no server" for name in DRILLS if name not in chosen),
    )


def main(arguments: Sequence[str], fault: str = "") -> int:
    """`fault` names a drill whose cure does not work, so that a test can see this fail."""
    return run_proof("BRIDGE-DRILLS", SCRIPT, __doc__, lambda quick: prove(quick, fault), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

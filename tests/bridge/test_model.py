"""Random steps against a small model of threads, cursors and wakes: two planes over one log, any of them reopened."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from control_plane import ControlPlane
from control_plane.bridge.drivers import SENT, Outcome
from control_plane.bridge.drivers.fake import FakeRuntime
from control_plane.bridge.faults import BridgeFault
from control_plane.bridge.rules import Actor
from control_plane.bridge.supervising import Supervisor
from control_plane.bridge.terms import JobStatus
from control_plane.proving import HandClock
from tests.bridge.conftest import ARMS, BOSS

AGENTS = ("a", "b", "c")
MOVES = {
    "active": {"active", "blocked", "resolved", "closed"}, "blocked": {"blocked", "active"},
    "resolved": {"resolved", "closed"}, "closed": {"closed"},
}  # fmt: skip
ANSWERS = (SENT, Outcome("busy", "OPERATOR_BUSY"), Outcome("failed", "DRIVER_FAULT"))


class BridgeMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = HandClock()
        self.runtime = FakeRuntime(lambda _: self.answer)
        self.answer = SENT
        self.planes = [self.open(), self.open()]
        told = {"workspace_id": "w1", "title": "t", "type": "workflow", "participants": list(AGENTS)}
        self.thread = self.call(0, "create_thread", BOSS, **told)["thread_id"]
        self.status, self.bodies, self.cursors, self.keys = "active", [], dict.fromkeys(AGENTS, 0), {}
        self.members = set(AGENTS)

    def open(self) -> ControlPlane:
        return ControlPlane.open(Path(self.folder.name) / "home", catalogue=ARMS, clock=self.clock, background=False)

    def call(self, at: int, method: str, actor: Actor, **asked: Any) -> Any:
        try:
            return self.planes[at].bridge.call(method, actor, json.dumps(asked).encode())
        except BridgeFault as fault:
            return fault.wire

    def teardown(self) -> None:
        if hasattr(self, "planes"):
            for plane in self.planes:
                plane.close()
            self.folder.cleanup()

    @rule(at=st.integers(0, 1), agent=st.sampled_from(AGENTS), body=st.text(min_size=1, max_size=9),
          key=st.sampled_from([None, None, "k1", "k2"]))  # fmt: skip
    def post(self, at: int, agent: str, body: str, key: str | None) -> None:
        facts = {"thread_id": self.thread, "kind": "chat", "body": body, "idempotency_key": key}
        answer = self.call(at, "post_message", Actor(agent, "participant", "w1"), **facts)
        known = self.keys.get((agent, key))
        if agent not in self.members:
            assert answer == "FORBIDDEN"
        elif key is not None and known is not None:
            assert answer == "IDEMPOTENCY_CONFLICT" if known[0] != body else answer["seq"] == known[1]
        elif self.status == "closed":
            assert answer == "INVALID_THREAD_TRANSITION"
        elif not body.strip():
            assert answer == "INVALID_ARGUMENT"
        else:
            self.bodies.append(body)
            assert answer["seq"] == len(self.bodies)
            self.status = answer["thread_status"]
            if key is not None:
                self.keys[agent, key] = (body, len(self.bodies))

    @rule(at=st.integers(0, 1), agent=st.sampled_from(AGENTS), seq=st.integers(0, 30))
    def acknowledge(self, at: int, agent: str, seq: int) -> None:
        answer = self.call(at, "ack_read", Actor(agent, "participant", "w1"), thread_id=self.thread, last_read_seq=seq)
        if agent not in self.members:
            assert answer == "FORBIDDEN"
        elif seq > len(self.bodies):
            assert answer == "INVALID_ARGUMENT"
        elif seq < self.cursors[agent]:
            assert answer == "CONFLICT"
        else:
            assert answer["ok"]
            self.cursors[agent] = seq

    @rule(at=st.integers(0, 1), status=st.sampled_from(sorted(MOVES)))
    def change(self, at: int, status: str) -> None:
        facts = {"thread_id": self.thread, "status": status, "reason": "because"}
        answer = self.call(at, "update_thread_status", BOSS, **facts)
        if status in MOVES[self.status]:
            assert (answer["previous_status"], answer["status"]) == (self.status, status)
            self.status = status
        else:
            assert answer == "INVALID_THREAD_TRANSITION"

    @precondition(lambda self: self.status != "closed")
    @rule(at=st.integers(0, 1), agent=st.sampled_from(AGENTS), there=st.booleans())
    def member(self, at: int, agent: str, there: bool) -> None:
        if there:
            self.planes[at].bridge.add_participant(self.thread, agent, BOSS)
            self.members.add(agent)
        elif len(self.members) > 1:
            self.planes[at].bridge.remove_participant(self.thread, agent, BOSS)
            self.members.discard(agent)

    @rule(at=st.integers(0, 1), agent=st.sampled_from(AGENTS), status=st.sampled_from(["active", "idle", "offline"]),
          managed=st.booleans(), resumable=st.booleans())  # fmt: skip
    def beat(self, at: int, agent: str, status: str, managed: bool, resumable: bool) -> None:
        facts = {
            "session_id": "s", "runtime": "fake", "management_mode": "managed" if managed else "unmanaged",
            "resumable": resumable, "status": status,
        }  # fmt: skip
        assert self.call(at, "heartbeat_session", Actor(agent, "participant", "w1"), **facts)["ok"]

    @rule(at=st.integers(0, 1), after=st.sampled_from([0, 2, 5, 8, 30, 60, 50_000]), answer=st.sampled_from(ANSWERS))
    def look(self, at: int, after: float, answer: Outcome) -> None:
        self.clock.pass_by(after)
        self.answer = answer
        assert not Supervisor(self.planes[at].bridge, {"fake": self.runtime}, runtimes={"*": "fake"}).tick().fault
        state = self.planes[at].bridge.state
        # A supervisor has just acted on the thread through this plane: what waited here was seen too.
        self.bodies += [None] * (state.threads[self.thread].last_seq - len(self.bodies))

    @rule(at=st.integers(0, 1))
    def reopen(self, at: int) -> None:
        self.planes[at].close()
        self.planes[at] = self.open()

    @invariant()
    def what_is_shown_is_what_was_done(self) -> None:
        if not hasattr(self, "bodies"):
            return
        for plane in self.planes:
            plane.folder.catch_up()
            assert plane.folder.faults == 0, plane.folder.last_fault
            thread = plane.bridge.state.threads[self.thread]
            assert (thread.status, thread.last_seq, set(thread.participants)) == (
                self.status,
                len(self.bodies),
                self.members,
            )
            assert all(thread.cursors.get(agent, 0) == seq for agent, seq in self.cursors.items())
            targets = [job.target for job in thread.jobs.values()]
            assert len(set(targets)) == len(targets)
            assert all(job.status not in (JobStatus.DELIVERED, JobStatus.DEAD_LETTER) for job in thread.jobs.values())
        raw = json.dumps({"thread_id": self.thread, "limit": 200}).encode()
        messages = self.planes[0].bridge.call("read_messages", BOSS, raw)["messages"]
        assert [m["seq"] for m in messages] == list(range(1, len(self.bodies) + 1))[:200]
        assert all(b is None or m["body"] == b for m, b in zip(messages, self.bodies, strict=False))
        made = [(order.id, order.attempt) for order in self.runtime.orders]
        assert len(set(made)) == len(made), "an attempt reached the runtime twice"


RULES = settings(
    max_examples=10, stateful_step_count=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@pytest.mark.requirement("BRIDGE-29")
def test_bridge_against_its_model() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(BridgeMachine, settings=RULES)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_bridge_against_its_model_for_long() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    long = settings(RULES, max_examples=400, stateful_step_count=60, derandomize=False)
    run_state_machine_as_test(BridgeMachine, settings=long)

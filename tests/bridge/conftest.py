"""A bridge over a real ledger, on a clock set by hand: in SQLite, and in PostgreSQL where a test asks for both."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from control_plane import Arm, ControlPlane
from control_plane.bridge.drivers.fake import FakeRuntime
from control_plane.bridge.faults import BridgeFault
from control_plane.bridge.rules import Actor
from control_plane.bridge.service import Bridge
from control_plane.bridge.supervising import Supervisor, Tick
from control_plane.proving import HandClock
from tests.ledger.conftest import postgres_host, postgres_url, schema  # noqa: F401 - fixtures

ARMS = (Arm("acme/strong"),)
BOSS = Actor("boss", "coordinator", "w1")
EXEC = Actor("exec", "participant", "w1")
REVIEWER = Actor("reviewer", "participant", "w1")
AUDITOR = Actor("eye", "auditor", "w1")


class House:
    """Planes over one log; `restart` closes the present one and opens another."""

    def __init__(self, home: str | Path, state: Path | None) -> None:
        self.home, self.state = home, state
        self.clock, self.runtime = HandClock(), FakeRuntime()
        self.logged: list[tuple[str, dict[str, Any]]] = []
        self.runtimes: dict[str, str] = {}
        self.restarts = False
        self.plane = self.open()
        self.supervisor = self.supervised()

    def open(self) -> ControlPlane:
        return ControlPlane.open(self.home, state_dir=self.state, catalogue=ARMS, clock=self.clock, background=False)

    def supervised(self) -> Supervisor:
        return Supervisor(
            self.bridge, {"fake": self.runtime}, runtimes=self.runtimes,
            log=lambda name, **told: self.logged.append((name, told)),
        )  # fmt: skip

    @property
    def bridge(self) -> Bridge:
        return self.plane.bridge

    def restart(self) -> None:
        self.plane.close()
        self.plane = self.open()
        self.supervisor = self.supervised()

    def tick(self, after: float = 0.0) -> Tick:
        self.clock.pass_by(after)
        if self.restarts:
            self.restart()
        return self.supervisor.tick()

    def call(self, method: str, actor: Actor, **asked: Any) -> dict[str, Any]:
        answer = self.bridge.call(method, actor, json.dumps(asked).encode())
        assert self.plane.folder.faults == 0, self.plane.folder.last_fault
        return answer

    def refused(self, method: str, actor: Actor, **asked: Any) -> str:
        with pytest.raises(BridgeFault) as caught:
            self.call(method, actor, **asked)
        return caught.value.wire

    def thread(self, *participants: str, kind: str = "workflow", workspace: str = "w1") -> str:
        boss = Actor("boss", "coordinator", workspace)
        return self.call(
            "create_thread", boss, workspace_id=workspace, title="Review of the parser", type=kind,
            participants=list(participants or ("exec", "reviewer")),
        )["thread_id"]  # fmt: skip

    def say(
        self, thread: str, actor: Actor = EXEC, body: str = "hello", event: str = "", **more: Any
    ) -> dict[str, Any]:
        facts: dict[str, Any] = {"kind": "event", "metadata": {"event_type": event}} if event else {"kind": "chat"}
        return self.call("post_message", actor, thread_id=thread, body=body, **(facts | more))

    def beat(self, actor: Actor = REVIEWER, status: str = "idle", **more: Any) -> None:
        facts = {
            "session_id": "s1", "runtime": "fake", "management_mode": "managed", "resumable": True, "status": status,
        }  # fmt: skip
        self.call("heartbeat_session", actor, **(facts | more))

    def read(self, thread: str, actor: Actor = REVIEWER, **more: Any) -> dict[str, Any]:
        return self.call("read_messages", actor, thread_id=thread, **more)

    def ack(self, thread: str, seq: int, actor: Actor = REVIEWER) -> None:
        self.call("ack_read", actor, thread_id=thread, last_read_seq=seq)

    def job(self, thread: str) -> Any:
        found = self.bridge.state.threads[thread]
        return [*found.past_jobs, *found.jobs.values()][-1]

    def topics(self) -> list[str]:
        self.plane.flush()
        return [one.event.TOPIC.removeprefix("bridge.") for one in self.plane.ledger.read(limit=100_000)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The long form runs every test on both stores; the short one those that ask for `either`."""
    if "house" in metafunc.fixturenames and "either" not in metafunc.fixturenames:
        stores = ["sqlite", "postgres"] if metafunc.config.getoption("--long") else ["sqlite"]
        metafunc.parametrize("house", stores, indirect=True, ids=stores if len(stores) > 1 else [pytest.HIDDEN_PARAM])


@pytest.fixture
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    yield from _housed(request, tmp_path)


@pytest.fixture(params=["sqlite", "postgres"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """The same on both stores."""
    yield from _housed(request, tmp_path)


def _housed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    if request.param == "postgres":
        house = House(request.getfixturevalue("postgres_url"), tmp_path / "state")
    else:
        house = House(tmp_path / "home", None)
    yield house
    house.plane.close()


Houses = Callable[[], House]

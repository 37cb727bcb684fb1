"""SIGKILL at every durable step, before and after the write: no message is lost, nothing happens twice."""

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from control_plane.bridge.supervising import Supervisor
from control_plane.bridge.terms import JobStatus
from tests.bridge.conftest import EXEC, House
from tests.bridge.killing import Noted, effects

ROOT = Path(__file__).parents[2]


@pytest.fixture
def real(tmp_path: Path):
    house = House(tmp_path / "home", None)
    # The killed process lives by the real time.
    house.clock.time = time.time()
    yield house
    house.plane.close()


def strike(house: House, role: str, thread: str, window: str, step: int = 1) -> int:
    house.plane.close()
    command = [sys.executable, str(ROOT / "tests/bridge/killing.py"), str(house.home), role, thread, window, str(step)]
    done = subprocess.run(
        command,
        cwd=Path(house.home).parent,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    house.clock.time = time.time()
    house.plane = house.open()
    house.supervisor = Supervisor(house.bridge, {"noted": Noted(Path(house.home).with_name("effects"))})
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


def go_on(house: House, thread: str) -> None:
    """Another supervisor looks, waits for the lease and for the pause before the next try, until the wake is sent."""
    for after in (1, 31, 3):
        house.tick(after)
        if house.job(thread).sent is not None:
            return
    raise AssertionError(house.job(thread))


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("COV")} | {"PYTHONPATH": str(ROOT)}


@pytest.mark.requirement("BRIDGE-31", "BRIDGE-32")
@pytest.mark.parametrize("window", ["before", "after"])
@pytest.mark.parametrize("step", [2])
def test_a_poster_that_dies_is_repeated_and_each_message_is_there_once(real: House, window: str, step: int) -> None:
    thread = real.thread()
    assert strike(real, "poster", thread, window, step) == -9
    kept = [m["body"] for m in real.read(thread)["messages"]]
    assert kept == [f"m{n}" for n in range(step - (window == "before"))]
    # Whoever got no answer asks again, with the same key.
    for n in range(3):
        asked = {"thread_id": thread, "kind": "chat", "body": f"m{n}", "idempotency_key": f"k{n}"}
        answer = real.bridge.call("post_message", EXEC, msgspec.json.encode(asked))
        assert answer["seq"] == n + 1
    assert [m["body"] for m in real.read(thread)["messages"]] == ["m0", "m1", "m2"]


@pytest.mark.requirement("BRIDGE-31", "BRIDGE-32")
@pytest.mark.parametrize("window", ["before", "after"])
@pytest.mark.parametrize("step", [1, 2])
def test_a_supervisor_that_dies_is_followed_by_another(real: House, window: str, step: int) -> None:
    """Its two writes: the job is queued and claimed, then sent."""
    real.beat(runtime="noted")
    thread = real.thread()
    real.say(thread, body="wake up")
    assert strike(real, "supervisor", thread, window, step) == -9
    go_on(real, thread)
    made = effects(Path(real.home))
    assert len(set(made)) == len(made), "an attempt reached the runtime twice"
    # Where the wake had got through, it is not made again.
    assert len(made) == 1
    assert [m["body"] for m in real.read(thread)["messages"]] == ["wake up"]
    real.ack(thread, 1)
    assert real.job(thread).status is JobStatus.DELIVERED


@pytest.mark.requirement("BRIDGE-31", "BRIDGE-32")
@pytest.mark.parametrize("window", ["before", "after"])
def test_a_supervisor_that_dies_in_its_driver(real: House, window: str) -> None:
    real.beat(runtime="noted")
    thread = real.thread()
    real.say(thread)
    assert strike(real, "driver", thread, window) == -9
    real.tick(1)
    assert len(effects(Path(real.home))) == (window == "after")
    go_on(real, thread)
    assert len(effects(Path(real.home))) == 1


@pytest.mark.requirement("BRIDGE-31", "BRIDGE-32")
@pytest.mark.parametrize("window", ["before", "after"])
def test_an_acknowledgement_whose_answer_was_lost_is_repeated(real: House, window: str) -> None:
    thread = real.thread()
    real.say(thread)
    assert strike(real, "reader", thread, window) == -9
    real.ack(thread, 1)
    assert real.topics().count("cursor-moved") == 1

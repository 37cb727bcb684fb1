"""A supervisor that dies or fails half way: its lease brings the wake back, and nobody is woken twice."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from control_plane.bridge.drivers import SENT, Order, Outcome
from control_plane.bridge.supervising import Supervisor
from control_plane.errors import LedgerUnavailable
from tests.bridge.conftest import House
from tests.bridge.test_wakes import told


@pytest.mark.requirement("BRIDGE-07")
def test_of_two_supervisors_one_acts_and_the_other_takes_over_when_the_lease_ends(house: House) -> None:
    house.beat()
    thread = house.thread()
    house.say(thread)
    second = Supervisor(house.bridge, {"fake": house.runtime}, holder="second")

    class Killed(BaseException):
        pass

    def die(order: Order) -> Outcome:
        raise Killed

    house.runtime.answer = die
    with pytest.raises(Killed):
        house.tick(1)
    house.runtime.answer = lambda _: SENT
    assert house.job(thread).holder == house.supervisor.holder
    house.clock.pass_by(29.9)
    assert second.tick().idle
    house.clock.pass_by(0.1)
    assert second.tick().failed == 1
    house.clock.pass_by(2)
    second.tick()
    assert told(house) == [("trigger", 2)]
    assert house.job(thread).holder == "second"


def test_what_goes_wrong_in_the_pool_is_told_and_the_lease_brings_the_wake_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.beat()
    thread = house.thread()
    house.say(thread)

    def away(*_: object, **__: object) -> int:
        raise LedgerUnavailable("the disk is away")

    with ThreadPoolExecutor(1) as pool, monkeypatch.context() as broken:
        house.runtime.answer = lambda _: broken.setattr(house.plane.ledger, "append", away) or SENT
        logged = lambda name, **told: house.logged.append((name, told))  # noqa: E731
        Supervisor(house.bridge, {"fake": house.runtime}, pool=pool, log=logged).tick()
        pool.shutdown()
    assert [name for name, told in house.logged if "the disk is away" in told.get("fault", "")] == ["wake.fault"]
    house.clock.pass_by(30)
    assert house.tick().sent == 1


@pytest.mark.requirement("BRIDGE-32")
def test_a_wake_that_got_through_before_its_supervisor_died_is_not_repeated(house: House) -> None:
    house.beat()
    thread = house.thread()
    house.say(thread)

    class Killed(BaseException):
        pass

    wake = house.runtime.wake

    def then_die(order: Order, quiet_s: float) -> Outcome:
        wake(order, quiet_s)
        raise Killed

    house.runtime.wake = then_die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        house.tick(1)
    house.runtime.wake = wake  # type: ignore[method-assign]
    house.restart()
    house.tick(30)
    assert told(house) == [("trigger", 1)]
    assert house.job(thread).sent is not None

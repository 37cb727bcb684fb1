"""What is said while a commit runs is one commit: decided one after another, refused each for itself."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from control_plane.bridge.faults import BridgeFault
from tests.bridge.conftest import EXEC, REVIEWER, House
from tests.bridge.test_drivers import until


class Held:
    """The first commit waits until it is let go; what is said meanwhile gathers."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.commits: list[int] = []
        self._house, self._begun, self._go = house, threading.Event(), threading.Event()
        append = house.plane.ledger.append

        def held(stream: str, events: Any, **more: Any) -> int:
            self.commits.append(len(events))
            if len(self.commits) == 1:
                self._begun.set()
                self._go.wait(30)
            return append(stream, events, **more)

        monkeypatch.setattr(house.plane.ledger, "append", held)

    def together(self, first: Any, *rest: Any) -> list[Future[Any]]:
        """`rest` in the order in which they came, while `first` is committed."""
        with ThreadPoolExecutor(1 + len(rest)) as pool:
            futures = [pool.submit(first)]
            self._begun.wait(30)
            waiting = self._house.bridge._gathering._waiting
            for at, one in enumerate(rest, 1):
                futures.append(pool.submit(one))
                until(lambda at=at: len(self._house.bridge._gathering._waiting) == at)
            assert waiting is not None
            self._go.set()
        return futures


@pytest.mark.requirement("BRIDGE-37", "BRIDGEOPS-98")
def test_what_is_said_while_a_commit_runs_is_one_commit(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    thread, other = house.thread(), house.thread()
    held = Held(house, monkeypatch)
    futures = held.together(
        lambda: house.say(thread, body="first"),
        lambda: house.say(thread, body="second"),
        lambda: house.say(other, body="elsewhere"),
        lambda: house.say(thread, REVIEWER, "keyed", idempotency_key="k"),
        lambda: house.say(thread, REVIEWER, "keyed", idempotency_key="k"),
        lambda: house.say(thread, REVIEWER, "else", idempotency_key="k"),
        lambda: house.say(thread, body=" "),
        lambda: house.ack(thread, 3),
        lambda: house.ack(thread, 9),
        lambda: house.say(thread, body="last"),
    )
    outcomes = [
        fault.wire if isinstance(fault := one.exception(), BridgeFault) else (one.result() or {}).get("seq")
        for one in futures
    ]
    assert outcomes == [1, 2, 1, 3, 3, "IDEMPOTENCY_CONFLICT", "INVALID_ARGUMENT", None, "INVALID_ARGUMENT", 4]
    assert held.commits == [1, 5]
    assert [m["body"] for m in house.read(thread)["messages"]] == ["first", "second", "keyed", "last"]
    assert house.bridge.state.threads[thread].cursors == {"reviewer": 3}
    before = house.bridge.state
    house.restart()
    assert house.bridge.state == before


def test_a_commit_that_fails_is_told_to_all_who_waited(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from control_plane.errors import LedgerUnavailable

    thread = house.thread()

    def away(*_: Any, **__: Any) -> int:
        raise LedgerUnavailable("the disk is away")

    with monkeypatch.context() as broken:
        broken.setattr(house.plane.ledger, "append", away)
        for _ in range(2):
            assert house.refused("post_message", EXEC, thread_id=thread, kind="chat", body="x") == "INTERNAL"
    assert house.say(thread)["seq"] == 1


def test_an_interrupt_of_the_one_who_writes_is_no_success_for_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = house.thread()
    held = Held(house, monkeypatch)
    append = house.plane.ledger.append

    def interrupted(stream: str, events: Any, **more: Any) -> int:
        if held.commits:
            raise KeyboardInterrupt
        return append(stream, events, **more)

    with monkeypatch.context() as struck:
        struck.setattr(house.plane.ledger, "append", interrupted)
        futures = held.together(*[lambda n=n: house.say(thread, body=f"{n}") for n in range(4)])
    assert futures[0].result()["seq"] == 1
    kinds = sorted(type(one.exception()).__name__ for one in futures[1:])
    assert kinds == ["Internal", "Internal", "KeyboardInterrupt"]
    assert [m["body"] for m in house.read(thread)["messages"]] == ["0"]


def test_many_at_once_get_numbers_without_a_gap(house: House) -> None:
    thread = house.thread()
    with ThreadPoolExecutor(16) as pool:
        seqs = list(pool.map(lambda n: house.say(thread, body=f"{n}")["seq"], range(200)))
    assert sorted(seqs) == list(range(1, 201))
    kept = {m["seq"]: m["body"] for m in house.read(thread, limit=200)["messages"]}
    assert all(kept[seq] == f"{n}" for n, seq in enumerate(seqs))

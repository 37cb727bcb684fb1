"""SIGTERM while requests come: whatever was accepted is in the ledger."""

import itertools
import json
import signal
import threading

import httpx
import pytest

from control_plane import ControlPlane
from control_plane.router.events import AdviceGiven, ResultRecorded

# So many are accepted before the signal comes.
ENOUGH = 200
CALLERS = 4


class Load:
    """Callers that ask for advice and tell results until the server is gone; what was accepted is remembered."""

    def __init__(self, served, arm: str) -> None:
        self._served, self._arm, self._numbers = served, arm, itertools.count()
        self.decisions: set[str] = set()
        self.results: set[str] = set()
        self.refused: list[int] = []
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._call) for _ in range(CALLERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait_for(self, accepted: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.results) >= accepted, timeout=60)

    def end(self) -> None:
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _call(self) -> None:
        with self._served.client() as client:
            while True:
                repo = f"acme/{next(self._numbers)}"
                try:
                    advice = client.post("/api/advise", json={"type": "code.fix"})
                    body = {"arm": self._arm, "task": {"type": "code.fix", "repo": repo}, "success": True}
                    result = client.post("/api/results", json=body)
                except httpx.HTTPError:
                    return
                with self._changed:
                    if advice.status_code == 200:
                        self.decisions.add(advice.json()["decision_id"])
                    if result.status_code == 200:
                        self.results.add(repo)
                    self.refused += [one.status_code for one in (advice, result) if one.status_code != 200]
                    self._changed.notify_all()


@pytest.mark.requirement("SERVE-09", "SERVE-59")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_every_result_that_was_accepted_is_in_the_ledger_after_the_signal(serve, number):
    served = serve()
    with served.client() as client:
        arm = client.post("/api/advise", json={"type": "code.fix"}).json()["arm"]
    load = Load(served, arm)
    load.start()
    try:
        assert load.wait_for(ENOUGH)
        served.process.send_signal(number)
    finally:
        load.end()
    assert served.process.wait(60) == 0
    assert set(load.refused) <= {503}
    with ControlPlane.open(served.home, background=False) as plane:
        assert plane.ledger.counters.commits == 0, "nothing was left in the journal"
        events = [one.event for one in plane.ledger.read(limit=1_000_000)]
    assert load.results <= {one.repo for one in events if isinstance(one, ResultRecorded)}
    assert load.decisions <= {one.decision for one in events if isinstance(one, AdviceGiven)}
    assert len(load.results) >= ENOUGH


@pytest.mark.requirement("SERVE-09")
def test_a_stream_that_is_open_does_not_hold_up_the_end(serve):
    served = serve()
    with served.client() as client, client.stream("GET", "/api/events") as stream:
        lines = stream.iter_lines()
        assert next(lines) == ": here"
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(60) == 0
        assert list(lines) == [""]


@pytest.mark.requirement("SERVE-11")
def test_it_listens_on_loopback_with_a_token_of_its_own(serve):
    served = serve()
    assert served.url.startswith("http://127.0.0.1:")
    assert (served.home / "token").stat().st_mode & 0o777 == 0o600
    assert len(served.token) >= 32
    assert httpx.get(f"{served.url}/api/flags", timeout=20).status_code == 401
    with served.client() as client:
        assert client.get("/api/flags").status_code == 200
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(60) == 0


@pytest.mark.requirement("SERVE-06", "SERVE-15")
def test_each_line_of_the_log_is_an_object_and_none_holds_the_token(serve, tmp_path):
    served = serve()
    with served.client() as client:
        client.get("/api/flags", headers={"X-Request-Id": "mine-1"})
        client.get("/api/flags", headers={"Authorization": "Bearer wrong-token"})
        client.post("/api/advise", json={"typ": "x"})
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(60) == 0
    text = (tmp_path / "serve.log").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert {"event", "level", "timestamp"} <= set.intersection(*[set(line) for line in lines])
    asked = next(line for line in lines if line.get("request_id") == "mine-1")
    assert (asked["event"], asked["route"], asked["status"]) == ("request", "/api/flags", 200)
    assert any(line["event"] == "refused" and line["code"] == "access.unauthorized" for line in lines)
    assert served.token not in text
    assert "wrong-token" not in text

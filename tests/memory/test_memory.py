"""Memory on a real ledger: what is kept is found, also by others and after a loss, and finding is watched."""

import json
from pathlib import Path

import msgspec
import pytest

from control_plane import ControlPlane
from control_plane.cli import main
from control_plane.memory import rules
from control_plane.memory.events import ItemRemembered, QualityAlertCleared, QualityAlertRaised, QualityMeasured
from control_plane.memory.measuring import read_benchmark
from control_plane.memory.projection import MEMORY
from control_plane.memory.rules import DAY, BadItem, NotRemembered
from control_plane.memory.service import NotMeasured
from control_plane.memory.state import MemoryState, fold
from control_plane.projections.folding import Folder
from control_plane.projections.search import Found, TextIndex
from control_plane.proving import HandClock, flags
from tests.plane.conftest import ARMS

TESTS, AUTH = "The database tests need DATABASE_URL", "Sessions expire after thirty minutes"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def opened(tmp_path: Path, clock: HandClock):
    planes = []

    def open_plane(**told: str) -> ControlPlane:
        planes.append(
            ControlPlane.open(tmp_path / "home", catalogue=ARMS, clock=clock, flags=flags(**told), background=False)
        )
        return planes[-1]

    yield open_plane
    for plane in planes:
        plane.close()


class Blind:
    """A retriever that finds nothing."""

    name = "blind"

    def __init__(self, index: TextIndex) -> None:
        pass

    def search(self, query: str, limit: int, kind: str | None = None) -> list[Found]:
        return []


def told(plane: ControlPlane, kind: type) -> list:
    return [recorded.event for recorded in plane.ledger.read(limit=10_000) if isinstance(recorded.event, kind)]


@pytest.mark.requirement("GOV-30", "GOV-31")
def test_what_is_remembered_is_found_by_everybody_until_it_is_forgotten(opened) -> None:
    one, other = opened(), opened()
    item = one.memory.remember(TESTS, tags=["tests"], source="review 7")
    one.memory.remember(AUTH, kind="fact")
    for plane in (one, other):
        assert plane.memory.search("why are database tests skipped")[0].id == item
        assert plane.memory.search("database", kind="fact") == []
    other.memory.forget(item, reason="outdated")
    assert one.memory.search("database tests") == other.memory.search("database tests") == []
    with pytest.raises(NotRemembered):
        one.memory.forget(item)
    assert one.memory.remember(TESTS) == item
    assert [found.id for found in other.memory.search("database tests")] == [item]


@pytest.mark.requirement("GOV-30")
def test_the_same_text_is_one_item_and_one_event(opened) -> None:
    plane = opened()
    assert plane.memory.remember(TESTS) == plane.memory.remember(TESTS) != plane.memory.remember(TESTS, kind="fact")
    assert len(told(plane, ItemRemembered)) == plane.memory.items == 2


@pytest.mark.parametrize(
    "words",
    [{"text": ""}, {"text": " \n"},
     {"text": "x" * 4001}, {"text": "a\0b"}, {"text": "\ud800"}, {"text": "x", "kind": ""},
     {"text": "x", "kind": "a\nb"}, {"text": "x", "tags": ["t"] * 17}, {"text": "x", "tags": [""]},
     {"text": "x", "source": "s" * 101}],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_and_nothing_is_written(opened, words: dict) -> None:
    plane = opened()
    before = plane.ledger.size()
    with pytest.raises(BadItem):
        plane.memory.remember(**words)
    assert plane.ledger.size() == before


def test_a_search_has_bounds_and_an_empty_memory_has_no_index(opened, tmp_path: Path) -> None:
    memory = opened().memory
    assert memory.search("anything") == []
    memory.follow()
    memory.track()
    assert not (tmp_path / "home" / "memory.db").exists()
    for k in (0, -1, 101):
        with pytest.raises(BadItem):
            memory.search("anything", k)


@pytest.mark.requirement("GOV-31")
def test_an_index_that_is_lost_or_damaged_is_written_again_from_the_log(opened, tmp_path: Path) -> None:
    memory, path = opened().memory, tmp_path / "home" / "memory.db"
    items = [memory.remember(f"{TESTS}, case {number}") for number in range(60)]
    memory.follow()
    assert path.exists()
    for harm in (path.unlink, lambda: path.write_bytes(b"no database" * 999), lambda: scribble(path)):
        for beside in ("-wal", "-shm"):
            path.with_name(path.name + beside).unlink(missing_ok=True)
        harm()
        assert {found.id for found in memory.search("database tests", 100)} == set(items)


def scribble(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


@pytest.mark.requirement("FG-11-PASS")
def test_quality_is_unknown_then_measured_then_too_old(opened, clock: HandClock) -> None:
    memory = opened().memory
    assert (memory.quality().level, memory.quality().counts) == ("unknown", False)
    memory.remember(TESTS)
    assert (memory.quality().level, memory.quality().counts) == ("unknown", True)
    memory.track()
    quality = memory.quality()
    assert (quality.level, quality.reason, quality.live_hit_rate, quality.counts) == ("pass", "", 1.0, True)
    assert quality.value is not None
    assert quality.value >= 0.70
    assert quality.measured_at == clock.now()
    clock.pass_by(8 * DAY)
    assert memory.quality().level == "unknown"
    assert memory.quality().value is None


@pytest.mark.requirement("FG-11-PASS")
def test_it_is_measured_once_a_day_and_when_the_memory_changed_much(opened, clock: HandClock) -> None:
    plane = opened()
    plane.memory.remember(TESTS)
    for _ in range(48):
        plane.memory.track()
        clock.pass_by(3600)
    assert len(told(plane, QualityMeasured)) == 2
    plane.memory.track()
    assert len(plane.memory.trend()) == 3
    for number in range(20):
        plane.memory.track()
        assert len(plane.memory.trend()) == 3
        plane.memory.remember(f"{AUTH}, {number}")
    plane.memory.track()
    assert len(plane.memory.trend()) == 4


@pytest.mark.requirement("FG-11-PASS")
def test_each_time_that_it_gets_worse_alerts_once_and_its_end_is_said(opened) -> None:
    plane = opened()
    plane.memory.remember(TESTS)
    worse = plane.memory.through(Blind)
    for memory in (plane.memory, worse, worse, plane.memory, plane.memory, worse):
        memory.evaluate()
    assert [(alert.before, alert.level) for alert in told(plane, QualityAlertRaised)] == [("pass", "fail")] * 2
    assert len(told(plane, QualityAlertCleared)) == 1
    quality = plane.memory.quality()
    assert (quality.level, quality.value, quality.live_hit_rate) == ("fail", 0.0, 0.0)
    assert "MAP 0.00 is below 0.70" in quality.reason


def test_an_index_that_lost_items_fails_although_the_benchmark_passes() -> None:
    assert rules.level_of(0.9, 0.9, None) == rules.level_of(0.7, 0.75, 0.95) == "pass"
    assert rules.level_of(0.9, 0.9, 0.94) == rules.level_of(0.5, 0.6, 1.0) == "warning"
    assert rules.level_of(0.69, 0.9, 1.0) == rules.level_of(0.9, 0.74, 1.0) == "warning"
    assert rules.level_of(0.9, 0.9, 0.5) == rules.level_of(0.49, 0.9, 1.0) == rules.level_of(0.9, 0.59, 1.0) == "fail"


@pytest.mark.requirement("FG-11-ROLLBACK")
def test_with_the_flag_off_nothing_is_measured_and_nothing_counts(opened) -> None:
    plane = opened(OPENCODE_RETRIEVAL_METRICS="false")
    plane.memory.remember(TESTS)
    plane.memory.track()
    with pytest.raises(NotMeasured):
        plane.memory.evaluate()
    quality = plane.memory.quality()
    assert (quality.level, quality.value, quality.counts) == ("unknown", None, False)
    assert told(plane, QualityMeasured) == []
    assert plane.memory.search("database tests")


def test_a_benchmark_of_ones_own_is_on_record_and_does_not_count(opened) -> None:
    plane = opened()
    own = msgspec.structs.replace(read_benchmark(), queries=read_benchmark().queries[-8:])
    assert plane.memory.evaluate(own).level == "fail"
    (fact,) = told(plane, QualityMeasured)
    assert (fact.own, fact.benchmark, fact.level) == (True, own.hash, "fail")
    assert told(plane, QualityAlertRaised) == []
    assert plane.memory.quality().level == "unknown"


@pytest.mark.requirement("GOV-30")
def test_the_state_is_that_of_the_log_and_of_its_snapshot(opened) -> None:
    plane = opened()
    item = plane.memory.remember(TESTS)
    plane.memory.remember(AUTH)
    plane.memory.forget(item)
    plane.memory.evaluate()
    state = plane.folder.state(MEMORY)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=MemoryState) == state
    replayed = Folder(plane.ledger, (MEMORY,))
    replayed.catch_up()
    assert replayed.state(MEMORY) == state


def test_only_the_latest_measurements_are_kept() -> None:
    state = MemoryState()
    for number in range(300):
        fold(
            state,
            QualityMeasured(
                benchmark="b", own=False, retriever="r", k=5, queries=1, items=1, map_at_k=1.0, grounded_recall=1.0,
                hit_rate=1.0, live_items=0, live_hit_rate=None, level="pass", at=float(number),
            ),
        )  # fmt: skip
    assert [state.measured[0].at, state.measured[-1].at, state.version] == [200.0, 299.0, 300]


@pytest.mark.requirement("FG-11-2")
def test_the_command_line_keeps_finds_and_measures(opened, tmp_path: Path, capsys, monkeypatch) -> None:
    opened()
    home = ["--home", str(tmp_path / "home"), "--json"]
    assert main(["memory", "add", TESTS, "--tag", "tests", *home]) == 0
    item = json.loads(capsys.readouterr().out)["id"]
    assert main(["memory", "search", "database", *home]) == 0
    assert [found["id"] for found in json.loads(capsys.readouterr().out)] == [item]
    assert main(["memory", "evaluate", *home]) == 0
    assert json.loads(capsys.readouterr().out)["level"] == "pass"
    hard = tmp_path / "hard.json"
    benchmark = read_benchmark()
    hard.write_bytes(msgspec.json.encode(msgspec.structs.replace(benchmark, queries=benchmark.queries[-8:])))
    assert main(["memory", "evaluate", "--benchmark", str(hard), *home]) == 1
    monkeypatch.setenv("OPENCODE_RETRIEVAL_METRICS", "false")
    assert main(["memory", "evaluate", *home]) == 2
    assert json.loads(capsys.readouterr().err.splitlines()[-1])["error"]["code"] == "memory.not-measured"

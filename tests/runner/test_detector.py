"""Loops are found without a model: all of the corpus, none of what is work, and no later than one repetition late."""

import random

import pytest

from control_plane.errors import SettingsError
from control_plane.runner.detector import LIMITS, Detector, Loop
from control_plane.runner.limits import Limits
from control_plane.runner.trace import Chunk, Seen, TextSaid, Told, ToolEnded
from tests.runner.making import CORPUS, written
from tests.runner.measured import benign, loops, ours, speed, table


def found(trace: list[Seen], limits: Limits = LIMITS) -> list[Loop]:
    detector = Detector(limits)
    return [loop for seen in trace if (loop := detector.see(seen)) is not None]


def same(times: int, **more: object) -> list[Seen]:
    return [ToolEnded("bash", {"command": "make"}, "red", True, **more) for _ in range(times)]  # type: ignore[arg-type]


@pytest.mark.requirement("RUN-01", "RUN-08", "RUN-28", "RUN-29")
def test_all_loops_of_the_corpus_are_found_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    told, many, few = table(), len(loops()), len(benign())
    with capsys.disabled():
        print(
            "\n"
            + "\n".join(f"  {name:20} {n['loop']}/{many} loops, {n['benign']}/{few} false" for name, n in told.items())
        )
    assert (told["control plane"]["loop"], told["control plane"]["benign"]) == (many, 0)
    for name in set(told) - {"control plane"}:
        assert told[name]["loop"] < many, name
        assert told[name]["benign"] > 0, name


@pytest.mark.requirement("RUN-30")
@pytest.mark.parametrize("loop", loops(), ids=lambda loop: loop.name)
def test_a_loop_is_found_within_one_repetition_of_its_threshold(loop) -> None:  # type: ignore[no-untyped-def]
    least = {1: LIMITS.failures}.get(loop.period, LIMITS.cycles + 1)
    wandering = LIMITS.wandering if loop.period > LIMITS.longest_period or loop.name == "round-and-round" else 0
    late = loop.period * (least + 1) + wandering
    at = ours(loop.trace)
    assert at is not None
    if loop.name.startswith("chant-") or loop.name == "chant":
        # A chant counts in what was said: its repetitions, or what is long enough to be one.
        said = sum(len(seen.text) for seen in loop.trace[loop.begins - 1 : at] if not isinstance(seen, ToolEnded))
        longest = 2 * (LIMITS.chants + 1) * CHANTED.get(loop.name, 32)
        assert said <= longest or at <= loop.begins + late, (said, longest)
    else:
        assert at <= loop.begins + late, (at, late)


# How long one unit is, where it is not that of the plain chant; one of marks must be long to be one.
CHANTED = {"chant-with-counter": 56, "chant-of-sentences": 60}


def test_the_corpus_is_what_its_maker_writes() -> None:
    for name, content in written():
        assert (CORPUS / name).read_text(encoding="utf-8") == content, "python -m tests.runner.making"


@pytest.mark.requirement("RUN-31")
def test_it_is_fast() -> None:
    # A shared machine under coverage; what it reaches alone is in docs/runner.md.
    assert speed(0.5) > 2_000


@pytest.mark.long
@pytest.mark.requirement("RUN-31")
def test_a_hundred_thousand_events_a_second() -> None:
    assert max(speed(2.0) for _ in range(3)) >= 100_000


def test_a_streak_is_told_once_and_again_only_when_it_goes_on() -> None:
    assert [(loop.kind, loop.repeats, loop.times) for loop in found(same(8))] == [
        ("cycle", 4, 1), ("cycle", 6, 2), ("cycle", 8, 3),
    ]  # fmt: skip
    nudged = [*same(4), Told("try something else", own=True), ToolEnded("read", {"path": "a"}, "a"), *same(2)]
    assert [loop.times for loop in found(nudged)] == [1, 2]


def test_a_person_who_says_something_new_begins_anew() -> None:
    assert found([*same(3), Told("now do the other thing"), *same(3)]) == []
    assert [loop.kind for loop in found([Told("go on"), *same(3), Told("Go on"), *same(3)])][:1] == ["cycle"]


def test_a_repeat_counts_only_where_nothing_changed() -> None:
    changing: list[Seen] = [ToolEnded("bash", {"command": "make"}, "red", True, f"tree {n}") for n in range(20)]
    assert found(changing) == []
    assert found(same(4, tree="one"))


def test_waiting_has_a_budget_of_time() -> None:
    def polls(seconds: float, times: int) -> list[Seen]:
        return [ToolEnded("bash", {"command": "sleep 60; status"}, "pending", at=n * seconds) for n in range(times)]

    assert found(polls(60, 25)) == []
    assert [loop.kind for loop in found(polls(60, 35))] == ["waiting"]
    assert [loop.kind for loop in found(polls(1, LIMITS.waits))] == ["waiting"]


def test_whatever_a_random_worker_does_once_is_no_loop_and_what_it_repeats_is() -> None:
    rng = random.Random(7)
    for _ in range(60):
        period = rng.randint(1, 10)
        names = rng.sample(range(1000), 40)
        work: list[Seen] = [ToolEnded("read", {"path": f"m{n}.py"}, f"# {n}") for n in names]
        assert found(work) == []
        unit = [ToolEnded("bash", {"command": f"tool-{n} x"}, f"said {n}", rng.random() < 0.3) for n in names[:period]]
        assert found([*work, *unit * 4]), period


def test_words_of_several_kinds() -> None:
    assert found([TextSaid("Done.")] * 3) == []
    assert [loop.kind for loop in found([TextSaid("Done.")] * 4)] == ["monologue"]
    chunks: list[Seen] = [Chunk("and so it goes on, ") for _ in range(60)]
    assert found(chunks)[0].kind == "chant"


def test_a_threshold_that_cannot_be_reached_is_refused() -> None:
    with pytest.raises(SettingsError, match="cannot be reached"):
        Limits(window=30)
    with pytest.raises(SettingsError, match="too few"):
        Limits(same=2)

"""What the measures mean, with figures computed by hand, and what a benchmark must be."""

import json
from pathlib import Path

import pytest

from control_plane.errors import MissingExtra
from control_plane.memory import measuring
from control_plane.memory.measuring import BadBenchmark, Query, Scores, live_hit_rate, measure, read_benchmark
from control_plane.memory.retrieving import ByWords, index_of
from control_plane.projections.search import Found, Put


def found(*names: str) -> list[Found]:
    return [Found(name, 1.0, "", 0.0, "", ()) for name in names]


def scores(truth: str, *answer: str) -> Scores:
    return measuring.score([Query("?", tuple(truth))], [found(*answer)])


@pytest.mark.requirement("FG-11-2", "GOV-32")
@pytest.mark.parametrize(
    ("truth", "answer", "map_at_k", "recall", "hit"),
    [
        ("a", "abcde", 1.0, 1.0, 1.0),
        ("a", "bacde", 1 / 2, 1.0, 1.0),
        ("ab", "axbyz", (1 + 2 / 3) / 2, 1.0, 1.0),
        ("abc", "xyzab", (1 / 4 + 2 / 5) / 3, 2 / 3, 1.0),
        ("a", "vwxyza", 0.0, 0.0, 0.0),
        ("a", "", 0.0, 0.0, 0.0),
        # Seven are relevant and there is room for five: five of five is all that can be reached.
        ("abcdefg", "abcde", 1.0, 5 / 7, 1.0),
        ("abcdefg", "axbcd", (1 + 2 / 3 + 3 / 4 + 4 / 5) / 5, 4 / 7, 1.0),
    ],
)
def test_a_query_scores_as_computed_by_hand(
    truth: str, answer: str, map_at_k: float, recall: float, hit: float
) -> None:
    got = scores(truth, *answer)
    assert (got.map_at_k, got.grounded_recall, got.hit_rate) == pytest.approx((map_at_k, recall, hit))


@pytest.mark.requirement("FG-11-2", "GOV-32")
def test_every_query_counts_alike_and_unanswered_ones_as_nothing() -> None:
    queries = [Query("1", ("a",)), Query("2", ("b",)), Query("3", ("c", "d"))]
    got = measuring.score(queries, [found("a"), [], found("x", "c")])
    assert (got.map_at_k, got.grounded_recall, got.hit_rate) == pytest.approx((1.25 / 3, 1.5 / 3, 2 / 3))


def test_equal_scores_keep_the_order_of_the_retriever() -> None:
    assert scores("z", "z", "a", "b").map_at_k == scores("a", "a", "z", "b").map_at_k == 1.0


@pytest.mark.requirement("FG-11-1")
def test_the_built_in_benchmark_is_large_partly_hard_and_grounded() -> None:
    benchmark = read_benchmark()
    assert len(benchmark.items) >= 60
    assert len(benchmark.queries) >= 30
    assert sum(query.hard for query in benchmark.queries) >= 6
    assert sum(len(query.relevant) > 1 for query in benchmark.queries) >= 5
    assert len({item.text for item in benchmark.items}) == len(benchmark.items)


@pytest.mark.requirement("FG-11-2")
def test_the_default_retriever_passes_the_benchmark_and_hard_queries_are_hard() -> None:
    benchmark = read_benchmark()
    got = measure(benchmark, ByWords)
    assert got.map_at_k >= 0.70
    assert got.grounded_recall >= 0.75
    index = index_of([Put(item.id, item.text, item.tags) for item in benchmark.items])
    hard = [query for query in benchmark.queries if query.hard]
    assert measuring.score(hard, [index.search(query.text, 5) for query in hard]).map_at_k < got.map_at_k - 0.2
    index.close()


@pytest.mark.parametrize(
    ("items", "queries"),
    [
        ([], []),
        ([{"id": "a", "text": "x"}], []),
        ([{"id": "a", "text": "x"}], [{"text": "?", "relevant": ["b"]}]),
        ([{"id": "a", "text": "x"}], [{"text": "?", "relevant": []}]),
        ([{"id": "a", "text": "x"}], [{"text": "?", "relevant": ["a", "a"]}]),
        ([{"id": "a", "text": "x"}, {"id": "a", "text": "y"}], [{"text": "?", "relevant": ["a"]}]),
        ([{"id": "a"}], [{"text": "?", "relevant": ["a"]}]),
    ],
)
def test_a_benchmark_that_cannot_be_right_is_refused(tmp_path: Path, items: list, queries: list) -> None:
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps({"items": items, "queries": queries}))
    with pytest.raises(BadBenchmark):
        read_benchmark(path)
    with pytest.raises(BadBenchmark):
        read_benchmark(tmp_path / "nowhere")


def test_live_items_are_looked_for_by_their_own_words() -> None:
    texts = [Put(f"{n}", f"note number {n} about subject{n} and place{n}") for n in range(100)]
    index = index_of(texts)
    assert live_hit_rate(ByWords(index), index.every()) == 1.0
    assert live_hit_rate(ByWords(index), []) is None
    lost = index_of(texts[:50])
    assert 0.3 < (live_hit_rate(ByWords(lost), index.every()) or 0) < 0.7
    index.close()
    lost.close()


def test_without_the_extra_measuring_says_what_is_missing(monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ir_measures", None)
    with pytest.raises(MissingExtra, match="evals"):
        scores("a", "a")

"""Every retriever keeps the same promises: by words, and by embeddings that are only hashes here."""

import math
from collections.abc import Sequence
from hashlib import blake2b

import pytest

from control_plane.errors import MissingExtra
from control_plane.memory import retrieving
from control_plane.memory.measuring import measure, read_benchmark
from control_plane.memory.retrieving import ByWords, Retrieving, by_embedding, index_of
from control_plane.projections.search import Drop, Put
from control_plane.projections.words import matching, parts

TEXTS = [
    Put("ci", "The integration job needs a Postgres service container", ("ci",)),
    Put("auth", "Sessions are stored in Redis with an expiry of thirty minutes", ("redis",)),
    Put("pay", "A refund above the limit needs a second approval", (), "rule"),
]


def hashed(texts: Sequence[str]) -> list[list[float]]:
    """Each word adds to one of 512 numbers: nearness is sharing words, and the same on every machine."""
    vectors = []
    for text in texts:
        vector = [0.0] * 512
        for word in matching(text).replace('"', "").split(" OR "):
            if word:
                vector[int.from_bytes(blake2b(word[:6].encode(), digest_size=4).digest()) % 512] += 1.0
        vectors.append(vector)
    return vectors


RETRIEVERS = [pytest.param(ByWords, id="words"), pytest.param(by_embedding("hashes", hashed), id="embeddings")]


@pytest.fixture
def index():
    made = index_of(TEXTS)
    yield made
    made.close()


@pytest.mark.requirement("GOV-31")
@pytest.mark.parametrize("retriever", RETRIEVERS)
def test_what_fits_comes_first_and_what_does_not_fit_not_at_all(retriever: Retrieving, index) -> None:
    found = retriever(index).search("which service does the integration job need", 5)
    assert found[0].id == "ci"
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert all(one.score > 0 and math.isfinite(one.score) for one in found)
    assert retriever(index).search("zebra quagga", 5) == []


@pytest.mark.requirement("GOV-31")
@pytest.mark.parametrize("retriever", RETRIEVERS)
def test_limit_kind_and_nothing_are_heeded(retriever: Retrieving, index) -> None:
    made = retriever(index)
    everything = "integration sessions refund needs"
    assert len(made.search(everything, 5)) == 3
    assert len(made.search(everything, 2)) == 2
    assert [one.id for one in made.search(everything, 5, "rule")] == ["pay"]
    for query, limit in (("", 5), ("   ", 5), (everything, 0)):
        assert made.search(query, limit) == []


@pytest.mark.requirement("GOV-31")
@pytest.mark.parametrize("retriever", RETRIEVERS)
def test_what_is_written_later_is_found_and_what_is_dropped_is_not(retriever: Retrieving, index) -> None:
    made = retriever(index)
    assert made.search("refund", 5)
    index.write([Put("new", "Refunds are paid on Mondays, refund early"), Drop("pay")])
    assert [one.id for one in made.search("refund", 5)] == ["new"]


@pytest.mark.requirement("GOV-31")
@pytest.mark.parametrize("retriever", RETRIEVERS)
def test_the_benchmark_tells_a_retriever_from_chance(retriever: Retrieving) -> None:
    assert measure(read_benchmark(), retriever).map_at_k > 0.5


def test_a_text_is_embedded_once(index) -> None:
    asked: list[str] = []

    def counted(texts: Sequence[str]) -> list[list[float]]:
        asked.extend(texts)
        return hashed(texts)

    made = by_embedding("hashes", counted)
    for query in ("sessions", "refund"):
        made(index).search(query, 5)
    assert len(asked) == len(TEXTS) + 2


def test_without_the_extra_embeddings_say_what_is_missing(monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "model2vec", None)
    with pytest.raises(MissingExtra, match="embeddings"):
        retrieving.embedded("anywhere")


def test_parts_and_words_agree_on_what_a_word_is() -> None:
    assert all(part in matching("traceContext lost") for part in parts("traceContext"))

"""The text index: no query is more than its words, and the file follows from the log."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.projections.search import Drop, IndexDamaged, Put, TextIndex
from control_plane.projections.words import matching, parts
from tests.ledger.small import CATALOGUE, Noted
from tests.projections.test_folding import Paper

TEXTS = [
    Put("a", "The integration job needs a Postgres service container", ("ci", "postgres")),
    Put("b", "Sessions live in Redis for thirty minutes", ("auth",), "note", 7.0),
    Put("c", "parseHTTPResponse retries three times", (), "code"),
]


@pytest.fixture
def index():
    made = TextIndex(None)
    made.write(TEXTS)
    yield made
    made.close()


def names(index: TextIndex, words: str, limit: int = 5, kind: str | None = None) -> list[str]:
    return [found.id for found in index.search(words, limit, kind)]


def test_it_finds_by_stem_tag_and_part_of_a_name(index: TextIndex) -> None:
    assert names(index, "the integrated jobs") == ["a"]
    assert names(index, "auth") == ["b"]
    assert names(index, "http response") == ["c"]
    assert names(index, "sessions in postgres containers for the integration") == ["a", "b"]
    assert names(index, "sessions", kind="code") == []
    assert names(index, "what is it") == []
    (found,) = index.search("sessions", 5)
    assert (found.kind, found.at, found.tags) == ("note", 7.0, ("auth",))
    assert found.score > 0


def test_a_text_is_replaced_and_dropped_by_its_id(index: TextIndex) -> None:
    index.write([Put("b", "Sessions live in Postgres"), Drop("a"), Drop("ghost")])
    assert names(index, "postgres redis") == ["b"]
    assert [found.id for found in index.every()] == ["b", "c"]


@pytest.mark.requirement("GOV-31")
@pytest.mark.parametrize(
    "words",
    ['"', '" OR 1=1 --', "text:*", "NEAR(a b, 2)", "a AND NOT b", "postgres*", "^postgres", "{text tags} : x", "a\0b",
     "'; DROP TABLE texts; --", "-", "", " ", "()", "+", "text : postgres", "\ud800", "x" * 100_000, "NOT", "OR OR OR"],
)  # fmt: skip
def test_operators_are_words_or_nothing(index: TextIndex, words: str) -> None:
    names(index, words)
    assert len(index.every()) == len(TEXTS)


@pytest.mark.requirement("GOV-31")
@given(words=st.text(max_size=60) | st.text(alphabet='"*():^-+{}ANDORTNEAR ,\0', max_size=40))
@settings(max_examples=400, deadline=None)
def test_no_text_is_an_error_or_more_than_its_words(words: str) -> None:
    match = matching(words)
    assert match.count('"') == 2 * len([word for word in match.split(" OR ") if word])
    with contextlib.closing(TextIndex(None)) as index:
        index.write(TEXTS)
        names(index, words)


def test_names_in_camel_case_have_parts() -> None:
    assert parts("parseHTTPResponse in snake_case and SHOUTING of Word") == ["parse", "http", "response"]


NOTES = {"catalogue": CATALOGUE, "reads": (Noted,), "changes": lambda event: (Put(event.text, f"note {event.text}"),)}


def followed(path: Path, paper: Paper, version: str = "one") -> list[str]:
    with contextlib.closing(TextIndex(path, version, **NOTES)) as index:
        index.catch_up(paper.rows, len(paper.rows_held))
        return sorted((found.id for found in index.every()), key=int)


def expected(events: int) -> list[str]:
    return [str(n) for n in range(1, events + 1)]


@pytest.mark.requirement("GOV-30", "GOV-31")
def test_it_follows_the_log_and_is_written_again_when_lost_foreign_or_ahead(tmp_path: Path) -> None:
    path, paper = tmp_path / "memory.db", Paper(list(range(1, 31)))
    assert followed(path, paper) == followed(path, paper) == expected(30)
    assert followed(path, Paper(list(range(1, 5001)))) == expected(5000)
    assert followed(path, paper) == expected(30)
    assert followed(path, paper, "of another ledger") == expected(30)
    for file in tmp_path.iterdir():
        file.unlink()
    assert followed(path, paper) == expected(30)


def test_what_was_read_is_not_read_again(tmp_path: Path) -> None:
    path, paper = tmp_path / "memory.db", Paper(list(range(1, 31)))
    with contextlib.closing(TextIndex(path, **NOTES)) as one, contextlib.closing(TextIndex(path, **NOTES)) as other:
        assert one.catch_up(paper.rows, 30) == 30
        assert other.catch_up(paper.rows, 30) == one.catch_up(paper.rows, 30) == 0


def test_no_database_at_all_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    path.write_bytes(b"this is no database" * 1000)
    assert followed(path, Paper(list(range(1, 31)))) == expected(30)


def test_a_damaged_page_is_a_coded_error_and_recovered_from(tmp_path: Path) -> None:
    path, paper = tmp_path / "memory.db", Paper(list(range(1, 2001)))
    followed(path, paper)
    content = bytearray(path.read_bytes())
    half = len(content) // 2
    content[half:] = b"\xa5" * (len(content) - half)
    path.write_bytes(content)
    with contextlib.closing(TextIndex(path, "one", **NOTES)) as index:
        with pytest.raises(IndexDamaged):
            index.search("note", 2000)
        index.recover()
        index.catch_up(paper.rows, 2000)
        assert len(index.every()) == 2000

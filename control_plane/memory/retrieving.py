"""How something is found again: a port, by words in a full-text index or by nearness of embeddings."""

from collections.abc import Callable, Sequence
from typing import Protocol

from .. import extras
from ..errors import MissingExtra
from ..projections.search import Found, Put, TextIndex


class Retriever(Protocol):
    """Better ones first; a retriever that finds nothing that fits answers nothing."""

    name: str

    def search(self, query: str, limit: int, kind: str | None = None) -> list[Found]: ...


Known = dict[str, tuple[float, ...]]
Embed = Callable[[Sequence[str]], Sequence[Sequence[float]]]
# A retriever over these texts; the way in makes one over what is remembered, a measurement one over its own set.
Retrieving = Callable[[TextIndex], Retriever]


class ByWords:
    name = "fts5-bm25"

    def __init__(self, index: TextIndex) -> None:
        self._index = index

    def search(self, query: str, limit: int, kind: str | None = None) -> list[Found]:
        return self._index.search(query, limit, kind)


class ByEmbedding:
    """Cosine over every text of the index; what was embedded once is not embedded again."""

    def __init__(self, index: TextIndex, name: str, embed: Embed, known: Known, least: float = 0.1) -> None:
        self.name = name
        self._index, self._embed, self._known, self._least = index, embed, known, least

    def search(self, query: str, limit: int, kind: str | None = None) -> list[Found]:
        if not query.strip() or limit < 1:
            return []
        texts = self._index.every(kind)
        asked, *placed = self._vectors([query, *map(_whole, texts)])
        near = sorted(
            ((-_dot(asked, vector), found.id, found) for found, vector in zip(texts, placed, strict=True)),
            key=lambda one: one[:2],
        )
        return [
            Found(found.id, -far, found.kind, found.at, found.text, found.tags)
            for far, _, found in near[:limit]
            if -far >= self._least
        ]

    def _vectors(self, texts: list[str]) -> list[tuple[float, ...]]:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        made = dict(zip(new, map(_unit, self._embed(new)), strict=True)) if new else {}
        # A query is asked once; what is remembered is looked at with every query.
        self._known |= {text: made[text] for text in texts[1:] if text in made}
        return [made[text] if text in made else self._known[text] for text in texts]


def by_embedding(name: str, embed: Embed) -> Retrieving:
    known: Known = {}
    return lambda index: ByEmbedding(index, name, embed, known)


def embedded(model: str) -> Retrieving:
    """By a static embedding model in a folder on this machine; nothing is fetched."""
    try:
        from model2vec import StaticModel  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtra(
            "retrieval by embeddings needs the extra `embeddings`", cure=extras.install("embeddings")
        ) from None
    loaded = StaticModel.from_pretrained(model)

    def embed(texts: Sequence[str]) -> Sequence[Sequence[float]]:
        vectors: list[list[float]] = loaded.encode(list(texts)).tolist()
        return vectors

    return by_embedding("model2vec", embed)


def index_of(texts: Sequence[Put]) -> TextIndex:
    """An index in memory, for texts that are not the log's."""
    index = TextIndex(None)
    index.write(texts)
    return index


def _whole(found: Found) -> str:
    return " ".join((found.text, *found.tags))


def _unit(vector: Sequence[float]) -> tuple[float, ...]:
    length = _dot(vector, vector) ** 0.5
    return tuple(part / length for part in vector) if length else tuple(vector)


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))

"""The way in: keeps, finds and forgets, and measures how well finding goes."""

import contextlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from ..errors import BadInput
from ..ledger.ledger import Ledger
from ..projections import deciding
from ..projections.folding import Folder
from ..projections.search import Found, IndexDamaged, TextIndex
from . import rules
from .events import QualityMeasured
from .measuring import Benchmark, K, live_hit_rate, measure, read_benchmark
from .projection import MEMORY
from .retrieving import ByWords, Retrieving
from .rules import Quality
from .state import Measured, MemoryState

T = TypeVar("T")
STREAM, MOST = "memory", 100


class NotMeasured(BadInput):
    """Retrieval metrics are switched off, so nothing is measured."""

    code = "memory.not-measured"


class Memory:
    """`index` opens the text index, which nobody pays for before somebody looks for something."""

    def __init__(
        self,
        ledger: Ledger,
        folder: Folder,
        index: Callable[[], TextIndex],
        *,
        metrics: Callable[[], bool],
        retrieving: Retrieving = ByWords,
    ) -> None:
        self._ledger, self._folder, self._clock = ledger, folder, ledger.clock
        self._index, self._metrics, self._retrieving = index, metrics, retrieving

    def through(self, retrieving: Retrieving) -> "Memory":
        """The same memory, looked at by another retriever."""
        return Memory(self._ledger, self._folder, self._index, metrics=self._metrics, retrieving=retrieving)

    def remember(self, text: str, *, kind: str = "note", tags: Sequence[str] = (), source: str = "") -> str:
        """Keep this text for good; the same text of the same kind is one item."""
        self._folder.catch_up()
        with self._folder.still():
            events = rules.remember(self._state, kind, text, tags, source, self._clock.now())
        item = rules.item_id(kind, text)
        if events:
            self._ledger.append(_stream(item), events)
        return item

    def forget(self, item: str, *, reason: str = "") -> None:
        """Find it no more; the log cannot forget."""
        self._folder.catch_up()
        with self._folder.still():
            events = rules.forget(self._state, item, reason, self._clock.now())
        self._ledger.append(_stream(item), events)

    def search(self, query: str, k: int = K, *, kind: str | None = None) -> list[Found]:
        """What fits best first, as of all that is committed."""
        if not 1 <= k <= MOST:
            raise rules.BadItem(f"a search for {k} items", why=f"it answers 1 to {MOST}")
        self._folder.catch_up()
        if not self._state.items:
            return []
        return self._looked(lambda index: self._retrieving(index).search(query, k, kind))

    def evaluate(self, benchmark: Benchmark | None = None) -> Measured:
        """Measure now and record it. Only the built-in benchmark counts in promotion; one's own is on record."""
        if not self._metrics():
            raise NotMeasured(
                "retrieval is not measured", why="OPENCODE_RETRIEVAL_METRICS=false", cure="set it to true"
            )
        chosen = benchmark or read_benchmark()
        scores, live, items = measure(chosen, self._retrieving), *self._live()
        fact = QualityMeasured(
            benchmark=chosen.hash,
            own=benchmark is not None,
            retriever=self._retriever_name(),
            k=K,
            queries=len(chosen.queries),
            items=len(chosen.items),
            map_at_k=scores.map_at_k,
            grounded_recall=scores.grounded_recall,
            hit_rate=scores.hit_rate,
            live_items=items,
            live_hit_rate=live,
            level=rules.level_of(scores.map_at_k, scores.grounded_recall, live),
            at=self._clock.now(),
        )
        self._record(fact)
        return Measured(fact.at, fact.retriever, *scores_of(fact), fact.live_hit_rate, fact.level)

    def track(self) -> None:
        """Measure again when the last measurement no longer tells; a poll calls this."""
        with self._folder.still():
            due = self._metrics() and rules.due(self._state, self._clock.now())
        if due:
            self.evaluate()

    def quality(self) -> Quality:
        """As promotion reads it."""
        with self._folder.still():
            return rules.quality(self._state, self._clock.now(), metrics=self._metrics())

    def trend(self) -> tuple[Measured, ...]:
        """The latest measurements, oldest first."""
        with self._folder.still():
            return tuple(self._state.measured)

    @property
    def items(self) -> int:
        """How many items are remembered."""
        return len(self._state.items)

    @property
    def _state(self) -> MemoryState:
        return self._folder.state(MEMORY)

    def follow(self) -> None:
        """Read ahead, so that a search finds its index in step with the log; a poll calls this."""
        if self._state.items:
            self._looked(lambda _: None)

    def _looked(self, look: Callable[[TextIndex], T]) -> T:
        """Look into the index as of all that is committed; a damaged one is written again from the log."""
        with contextlib.closing(self._index()) as index:
            try:
                index.catch_up(self._ledger.rows, self._ledger.size())
                return look(index)
            except IndexDamaged:
                index.recover()
                index.catch_up(self._ledger.rows, self._ledger.size())
                return look(index)

    def _live(self) -> tuple[float | None, int]:
        self._folder.catch_up()
        if not self._state.items:
            return None, 0
        hits = self._looked(lambda index: live_hit_rate(self._retrieving(index), index.every()))
        return hits, len(self._state.items)

    def _retriever_name(self) -> str:
        with contextlib.closing(TextIndex(None)) as index:
            return self._retrieving(index).name

    def _record(self, fact: QualityMeasured) -> None:
        def seen() -> deciding.Decision[None]:
            with self._folder.still():
                return deciding.Decision(self._state.version, rules.measured(self._state, fact), None)

        deciding.write(self._ledger, self._folder, STREAM, seen)


def scores_of(fact: QualityMeasured) -> tuple[float, float, float]:
    return fact.map_at_k, fact.grounded_recall, fact.hit_rate


def _stream(item: str) -> str:
    return f"memory-{item}"

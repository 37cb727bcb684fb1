"""The rules of memory: what may be kept, when retrieval is measured again, and what a measurement means."""

import hashlib
from collections.abc import Sequence

import msgspec

from ..errors import BadInput
from ..ledger.events import Event
from .events import ItemForgotten, ItemRemembered, Level, QualityAlertCleared, QualityAlertRaised, QualityMeasured
from .state import MemoryState

LONGEST_TEXT, LONGEST_NAME, MOST_TAGS = 4000, 100, 16
PASS, WARNING = (0.70, 0.75), (0.50, 0.60)
LIVE_PASS, LIVE_WARNING = 0.95, 0.75
DAY = 86400.0
# Measured once a day, and sooner when a tenth of the memory changed, though not for a handful of items.
FRESH, CHANGED_SHARE, CHANGED_LEAST = DAY, 0.1, 20
# A measurement that nobody repeated for a week says nothing about today.
BELIEVED = 7 * DAY
_ORDER: dict[Level, int] = {"pass": 0, "warning": 1, "fail": 2}


class BadItem(BadInput):
    """The text is empty, too long, or has tags that make no sense."""

    code = "memory.bad-item"


class NotRemembered(BadInput):
    """No such item is remembered."""

    code = "memory.not-remembered"


class Quality(msgspec.Struct, frozen=True):
    """Whether retrieval may be relied on; `counts` = a promotion has to look at it. `value` is MAP@K."""

    value: float | None
    grounded_recall: float | None
    hit_rate: float | None
    live_hit_rate: float | None
    level: str
    reason: str
    measured_at: float | None
    counts: bool


def item_id(kind: str, text: str) -> str:
    return "m-" + hashlib.sha256(f"{kind}\0{text}".encode()).hexdigest()[:20]


def remember(memory: MemoryState, kind: str, text: str, tags: Sequence[str], source: str, now: float) -> list[Event]:
    """What is remembered already is not remembered twice."""
    _check("kind", kind, LONGEST_NAME)
    _check("text", text, LONGEST_TEXT, lines=True)
    _check("source", source, LONGEST_NAME, empty=True)
    if len(tags) > MOST_TAGS:
        raise BadItem(f"an item with {len(tags)} tags", why=f"the limit is {MOST_TAGS}")
    for tag in tags:
        _check("tag", tag, LONGEST_NAME)
    name = item_id(kind, text)
    known = name in memory.items
    return [] if known else [ItemRemembered(item=name, kind=kind, text=text, tags=tuple(tags), source=source, at=now)]


def forget(memory: MemoryState, item: str, reason: str, now: float) -> list[Event]:
    _check("reason", reason, LONGEST_NAME, empty=True)
    if item not in memory.items:
        raise NotRemembered(f"{item} is not remembered", cure="see `control-plane memory search`")
    return [ItemForgotten(item=item, reason=reason, at=now)]


def level_of(map_at_k: float, grounded_recall: float, live_hit_rate: float | None) -> Level:
    """The worst of the benchmark's and the live memory's."""
    live = 1.0 if live_hit_rate is None else live_hit_rate
    if map_at_k >= PASS[0] and grounded_recall >= PASS[1] and live >= LIVE_PASS:
        return "pass"
    if map_at_k >= WARNING[0] and grounded_recall >= WARNING[1] and live >= LIVE_WARNING:
        return "warning"
    return "fail"


def measured(memory: MemoryState, fact: QualityMeasured) -> list[Event]:
    """The measurement, and an alert where it is worse than the one before; a set of one's own alerts nobody."""
    before: Level = memory.measured[-1].level if memory.measured else "pass"
    if fact.own or fact.level == before:
        return [fact]
    if _ORDER[fact.level] > _ORDER[before]:
        alert = QualityAlertRaised(
            level=fact.level,
            before=before,
            map_at_k=fact.map_at_k,
            grounded_recall=fact.grounded_recall,
            live_hit_rate=fact.live_hit_rate,
            at=fact.at,
        )
        return [fact, alert]
    return [fact, QualityAlertCleared(before=before, at=fact.at)] if fact.level == "pass" else [fact]


def due(memory: MemoryState, now: float) -> bool:
    """Who remembers nothing pays for no measurement."""
    if not memory.items:
        return False
    if not memory.measured or now - memory.measured[-1].at >= FRESH:
        return True
    return memory.changes >= max(CHANGED_LEAST, CHANGED_SHARE * len(memory.items))


def quality(memory: MemoryState, now: float, *, metrics: bool) -> Quality:
    """As promotion reads it: unknown is not a pass."""
    latest = memory.measured[-1] if memory.measured else None
    counts = metrics and bool(memory.items or latest)
    if not metrics or latest is None or now - latest.at > BELIEVED:
        reason = "not measured: OPENCODE_RETRIEVAL_METRICS=false" if not metrics else "not measured in the last week"
        return Quality(None, None, None, None, "unknown", reason, latest.at if latest else None, counts)
    return Quality(
        value=latest.map_at_k,
        grounded_recall=latest.grounded_recall,
        hit_rate=latest.hit_rate,
        live_hit_rate=latest.live_hit_rate,
        level=latest.level,
        reason=_reason(latest.map_at_k, latest.grounded_recall, latest.live_hit_rate),
        measured_at=latest.at,
        counts=counts,
    )


def _reason(map_at_k: float, recall: float, live: float | None) -> str:
    found = [
        *([f"MAP {map_at_k:.2f} is below {PASS[0]:.2f}"] if map_at_k < PASS[0] else []),
        *([f"grounded recall {recall:.2f} is below {PASS[1]:.2f}"] if recall < PASS[1] else []),
        *([f"{live:.0%} of live items are found by their own words"] if live is not None and live < LIVE_PASS else []),
    ]
    return ", ".join(found)


def _check(field: str, text: str, longest: int, *, empty: bool = False, lines: bool = False) -> None:
    if not empty and not text.strip():
        raise BadItem(f"the {field} of an item is empty", cure="say what is to be remembered")
    if len(text) > longest:
        raise BadItem(f"the {field} of an item is {len(text):,} characters long", why=f"the limit is {longest:,}")
    bare = text.replace("\n", "").replace("\t", "") if lines else text
    if not bare.isprintable():
        raise BadItem(f"the {field} of an item holds control characters", cure="plain text in UTF-8")

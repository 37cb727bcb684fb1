"""What a log must hold after all of it, asked of the log alone."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from ..bridge.events import MessagePosted
from ..errors import ControlPlaneError
from ..evidence import Criterion, at_least, at_most, equal
from ..guardrails.events import Decided
from ..ledger.audit import verify
from ..ledger.events import Catalogue
from ..ledger.home import Home, home_of
from ..plane import ControlPlane
from ..projections.folding import Folder
from ..rooms import CATALOGUE, PROJECTIONS
from ..router.breakers import DEFAULT, SKEW_S
from ..router.events import ResultRecorded
from ..router.projection import ROUTER
from .crew import Heard, Site
from .playing import ARMS


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One log: what must hold of it and does or does not, what it was asked for, and what was refused meanwhile."""

    log: str
    ok: bool
    events: int
    figures: dict[str, int]
    criteria: list[Criterion]
    refused: dict[str, int]
    broken: list[str]


class Held(msgspec.Struct):
    """What lies in the log of that which was acknowledged."""

    events: int = 0
    out_of_place: int = 0
    results: Counter[str] = msgspec.field(default_factory=Counter)
    outcomes: dict[str, float | None] = {}
    posts: dict[tuple[str, str], list[int]] = {}
    sequences: dict[str, list[int]] = {}
    checks: Counter[str] = msgspec.field(default_factory=Counter)
    longest_step_s: float = 0.0
    longest_step_back_s: float = 0.0
    last_at: float | None = None


def judge(site: Site, heard: Heard, stepped: Sequence[float], fault: str) -> Judged:
    """`stepped`: by how many seconds the clock was set wrong, forwards and backwards."""
    home = home_of(site.home, site.state)
    if fault == "flip-a-byte" and home.address is None:
        flip(home)
    criteria: list[Criterion] = []
    held, decisions = Held(), 0
    try:
        with ControlPlane.open(site.home, state_dir=site.state, catalogue=ARMS, background=False) as plane:
            held = read(plane)
            parity = plane.replay()
            decisions = parity.decisions
            criteria += [
                *_of_the_log(held, plane, stepped), *_of_results(held, heard), *_of_the_bridge(held, heard),
                *_of_the_guard(held, heard), *_of_breakers(plane),
                at_least("decisions repeated from the log", decisions, 1),
                equal("decisions that come out otherwise", decisions - parity.matched, 0),
            ]  # fmt: skip
    except ControlPlaneError as told:
        heard.broken.append(f"the log cannot be read: {told}")
    audit = verify(home)
    criteria += [
        equal("the log verifies", f"{audit.reason} at {audit.first_bad}" if not audit.ok else "yes", "yes"),
        equal("things that broke", len(heard.broken), 0),
    ]
    return Judged(
        log=site.name, ok=all(one.passed for one in criteria), events=audit.events,
        figures={
            "decisions": decisions, "results": len(heard.results), "messages": len(heard.posts),
            "checks": len(heard.checks), "wakes": len(heard.wakes),
        },
        criteria=criteria, refused=dict(heard.refused), broken=heard.broken[:20],
    )  # fmt: skip


def read(plane: ControlPlane) -> Held:
    held, after = Held(), 0
    while rows := plane.ledger.rows(after, 4096):
        for position, _, _, topic, state in rows:
            held.events += 1
            held.out_of_place += position != held.events
            if topic in _NOTED:
                note(held, CATALOGUE, topic, bytes(state))
        after = rows[-1][0]
    return held


_NOTED = {kind.TOPIC for kind in (ResultRecorded, MessagePosted, Decided)}


def note(held: Held, catalogue: Catalogue, topic: str, state: bytes) -> None:
    event: Any = catalogue.decode(topic, state)
    match event:
        case ResultRecorded(decision=str(decision)):
            held.results[decision] += 1
            held.outcomes[decision] = event.latency_ms
        case MessagePosted():
            # What the bridge itself says has no key.
            if event.key is not None:
                held.posts.setdefault((event.thread, f"{event.actor} {event.key}"), []).append(event.seq)
            held.sequences.setdefault(event.thread, []).append(event.seq)
        case Decided():
            held.checks[event.decision] += 1
    if held.last_at is not None:
        step = event.at - held.last_at
        held.longest_step_s, held.longest_step_back_s = (
            max(held.longest_step_s, step),
            max(held.longest_step_back_s, -step),
        )
    held.last_at = event.at


def _of_the_log(held: Held, plane: ControlPlane, stepped: Sequence[float]) -> list[Criterion]:
    again = Folder(plane.ledger, PROJECTIONS)
    again.catch_up()
    plane.folder.catch_up(again.position)
    same = plane.folder.frozen(_encoded) == again.frozen(_encoded)
    forwards, backwards = stepped
    return [
        equal("events that are not in their place", held.out_of_place, 0),
        equal("events that no fold could take", plane.folder.faults + again.faults, 0),
        equal("the states of a snapshot and of the whole log are the same", same, True),
        at_least("seconds by which recorded times leap", held.longest_step_s, forwards * 0.9),
        at_least("seconds by which recorded times fall back", held.longest_step_back_s, backwards * 0.9),
    ]


def _encoded(_: Any, state: Any) -> bytes:
    return msgspec.msgpack.encode(state)


def _of_results(held: Held, heard: Heard) -> list[Criterion]:
    told = heard.results
    return [
        at_least("results that were acknowledged", len(told), 1),
        equal("of them lost", sum(decision not in held.results for decision in told), 0),
        equal("of them there twice", sum(held.results[decision] > 1 for decision in told), 0),
        equal("of them changed", sum(held.outcomes.get(one, latency) != latency for one, latency in told.items()), 0),
    ]


def _of_the_bridge(held: Held, heard: Heard) -> list[Criterion]:
    gaps = sum(found != list(range(1, len(found) + 1)) for found in held.sequences.values())
    return [
        at_least("messages that were acknowledged", len(heard.posts), 1),
        equal("of them lost", sum((thread, key) not in held.posts for thread, key, _ in heard.posts), 0),
        equal("of them there twice", sum(len(seqs) > 1 for seqs in held.posts.values()), 0),
        equal(
            "of them in another place than was said",
            sum(held.posts.get((thread, key), [seq])[0] != seq for thread, key, seq in heard.posts), 0,
        ),
        equal("threads whose sequence has a gap", gaps, 0),
        equal("attempts to wake that reached the runtime twice", sum(n > 1 for n in heard.wakes.values()), 0),
    ]  # fmt: skip


def _of_the_guard(held: Held, heard: Heard) -> list[Criterion]:
    return [
        at_least("checks that were answered", len(heard.checks), 1),
        equal("of them not in the log once", sum(held.checks[decision] != 1 for decision, _, _ in heard.checks), 0),
        equal(
            "of them answered wrongly",
            sum((live == "block") != guarded for _, guarded, live in heard.checks), 0,
        ),
    ]  # fmt: skip


def _of_breakers(plane: ControlPlane) -> list[Criterion]:
    """They opened, and however wrong a clock was, none stays open for longer than a breaker may."""
    now = plane.ledger.clock.now()
    breakers = plane.folder.state(ROUTER).breakers.arms.values()
    held = [one.until - now for one in plane.stats().cooled if one.state == "open"]
    return [
        at_least("breakers that opened", sum(one.openings for one in breakers), 1),
        at_most("seconds that an arm is left alone from now", max(held, default=0.0), DEFAULT.cap_s + SKEW_S),
    ]


def flip(home: Home) -> None:
    """One bit in the middle of the log, behind everybody's back."""
    with suppress(FileNotFoundError):
        for rest in ("-wal", "-shm"):
            Path(f"{home.database}{rest}").unlink()
    content = bytearray(home.database.read_bytes())
    at = content.index(b'"latency_ms"', len(content) // 3)
    content[at + len(b'"latency_ms":1')] ^= 1
    home.database.write_bytes(content)

"""Decide every recorded decision again, from the log alone: the same bytes, or the decisions that differ."""

from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple, Protocol

import msgspec

from ..ledger.backend import Row
from ..ledger.events import Catalogue, Event
from . import events as e
from .deciding import Modes, Past, Verdict, decide
from .matching import Matcher, matcher_of, with_own
from .rulefile import Rule, RuleSet, rule_set
from .state import State, fold

CHUNK, MOST_SHOWN = 512, 20
_READS = {kind.TOPIC for kind in e.EVENTS}


class Log(Protocol):
    catalogue: Catalogue

    def rows(self, after: int = 0, limit: int = CHUNK) -> list[Row]: ...


class Replayed(NamedTuple):
    """`digest` is of all answers, in the log's order; `differing` names the first decisions that came out otherwise."""

    decisions: int
    same: int
    differing: tuple[str, ...]
    digest: str


class Case(NamedTuple):
    """A recorded decision with all that it rests on."""

    event: e.Decided
    matcher: Matcher
    modes: Modes
    past: Past

    def decided(self, matcher: Matcher | None = None) -> Verdict:
        return decide(matcher or self.matcher, self.modes, self.past, self.event.seen, self.event.at)


def read(log: Log) -> Iterator[tuple[int, Event]]:
    after = 0
    while rows := log.rows(after, CHUNK):
        for position, _, _, topic, state in rows:
            if topic in _READS:
                yield position, log.catalogue.decode(topic, state)
        after = rows[-1][0]


def cases(log: Log) -> Iterator[tuple[int, Case]]:
    """Each decision beside the state that it saw, which is older than its own place in the log."""
    waiting: list[tuple[int, int, e.Decided]] = []
    # A version names its content, so it is known wherever in the log it stands.
    rules: dict[str, tuple[Rule, ...]] = {}
    for row, event in read(log):
        if isinstance(event, e.Decided):
            waiting.append((event.position, row, event))
        elif isinstance(event, e.RulesLoaded):
            rules[event.version] = event.rules
    waiting.sort(key=lambda one: one[:2], reverse=True)
    state = State()
    for row, event in read(log):
        while waiting and waiting[-1][0] < row:
            _, own, decided = waiting.pop()
            yield own, _case(state, rules, decided)
        fold(state, event)
    while waiting:
        _, own, decided = waiting.pop()
        yield own, _case(state, rules, decided)


def _case(state: State, rules: dict[str, tuple[Rule, ...]], event: e.Decided) -> Case:
    known = rules.get(event.rules)
    found = RuleSet(event.rules, known) if known is not None else with_own(rule_set([]))
    session = state.sessions.get(event.seen.session)
    modes = Modes(event.told, event.families, dict(state.modes), state.off_until)
    return Case(event, matcher_of(found), modes, session.past() if session else Past())


def replay(log: Log) -> Replayed:
    answers: dict[int, bytes] = {}
    differing = []
    for row, case in cases(log):
        answers[row] = bytes_of(case.decided())
        if answers[row] != bytes_of(case.event):
            differing.append(case.event.decision)
    told = digest_of(answers[row] for row in sorted(answers))
    return Replayed(len(answers), len(answers) - len(differing), tuple(differing[:MOST_SHOWN]), told)


def bytes_of(answer: Verdict | e.Decided) -> bytes:
    return msgspec.json.encode((answer.hits, answer.live, answer.would, answer.skip))


def digest_of(answers: "Iterator[bytes]") -> str:
    return blake2b(b"\n".join(answers), digest_size=16).hexdigest()

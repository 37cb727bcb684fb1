"""The figures: how often a rule was wrong and how often it blocked, how the checks went, what the arms did."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from ..router.events import ResultRecorded
from . import events as e
from .replaying import Log, read
from .rules import figures
from .state import State, fold
from .terms import Decision, Label, Mode

DAY, WEEK = 86400.0, 7 * 86400.0


class Kpis(msgspec.Struct, frozen=True, kw_only=True):
    """Rates are None where nothing was counted that they could be of."""

    decisions: int
    sessions: int
    blocks: int
    would_blocks: int
    hits: int
    true: int
    false: int
    unclear: int
    false_positive_rate: float | None
    block_hit_rate: float | None
    would_block_rate: float | None
    stop_checks: int
    stop_passed: int
    stop_timed_out: int
    stop_check_pass_rate: float | None
    hook_failures: int


class Family(msgspec.Struct, frozen=True, kw_only=True):
    family: str
    mode: Mode
    true: int
    false: int
    bound: float


class RuleFigures(msgspec.Struct, frozen=True, kw_only=True):
    rule: str
    family: str
    hits: int
    true: int
    false: int
    unclear: int


class ArmWeek(msgspec.Struct, frozen=True, kw_only=True):
    """One arm's results in a span of time, as the router recorded them."""

    arm: str
    results: int
    successes: int
    failures: int
    cost_usd: float
    rate_limited: int
    timed_out: int

    @property
    def rate(self) -> float | None:
        judged = self.successes + self.failures
        return self.successes / judged if judged else None


def kpis(state: State) -> Kpis:
    labels = Counter(hit.label for hit in state.hits.values())
    counts = state.counts
    checks = counts.stop_passed + counts.stop_failed + counts.stop_timed_out
    return Kpis(
        decisions=counts.decisions, sessions=counts.sessions, blocks=counts.blocks, would_blocks=counts.would_blocks,
        hits=len(state.hits), true=labels[Label.TP], false=labels[Label.FP], unclear=labels[Label.UNCLEAR],
        false_positive_rate=_share(labels[Label.FP], labels[Label.TP] + labels[Label.FP]),
        block_hit_rate=_share(counts.blocks, counts.sessions),
        would_block_rate=_share(counts.would_blocks, counts.sessions), stop_checks=checks,
        stop_passed=counts.stop_passed, stop_timed_out=counts.stop_timed_out,
        stop_check_pass_rate=_share(counts.stop_passed, checks), hook_failures=counts.failures,
    )  # fmt: skip


def families(state: State, modes: "dict[str, Mode]") -> tuple[Family, ...]:
    """Each family that has a rule which blocks, with what its labels say."""
    found = []
    for name in blocking_families(state):
        seen = figures(state, name)
        found.append(
            Family(family=name, mode=modes.get(name, Mode.SHADOW), true=seen.true, false=seen.false, bound=seen.bound)
        )
    return tuple(found)


def blocking_families(state: State) -> list[str]:
    rules = state.versions.get(state.rules, ())
    return sorted({rule.family for rule in rules if rule.enforcement is Decision.BLOCK and rule.family != "guard"})


def rules_of(state: State) -> tuple[RuleFigures, ...]:
    """The rules with the most false positives first."""
    found: dict[str, Counter[Label | None]] = {}
    family: dict[str, str] = {}
    for hit in state.hits.values():
        found.setdefault(hit.rule, Counter())[hit.label] += 1
        family[hit.rule] = hit.family
    listed = [
        RuleFigures(
            rule=rule, family=family[rule], hits=labels.total(), true=labels[Label.TP], false=labels[Label.FP],
            unclear=labels[Label.UNCLEAR],
        )
        for rule, labels in found.items()
    ]  # fmt: skip
    return tuple(sorted(listed, key=lambda one: (-one.false, -one.hits, one.rule)))


def state_between(log: Log, since: float, until: float) -> State:
    """What happened in a span of time alone, under the rules of their time."""
    state = State()
    for _, event in read(log):
        if isinstance(event, e.RulesLoaded) or since <= event.at < until:
            fold(state, event)
    return state


def arms_between(results: Iterable[ResultRecorded], since: float, until: float) -> tuple[ArmWeek, ...]:
    found: dict[str, Counter[str]] = {}
    cost: dict[str, float] = {}
    for one in results:
        if since <= one.at < until:
            tally = found.setdefault(one.arm, Counter())
            tally["results"] += 1
            tally["successes"] += one.success is True
            # A caller's mistake or change of mind says nothing about the arm.
            tally["failures"] += one.success is False and one.error not in ("caller", "cancelled")
            tally["rate_limited"] += one.error == "rate_limit"
            tally["timed_out"] += one.error == "timeout"
            cost[one.arm] = cost.get(one.arm, 0.0) + (one.cost_usd or 0.0)
    return tuple(
        ArmWeek(
            arm=arm, results=n["results"], successes=n["successes"], failures=n["failures"], cost_usd=cost[arm],
            rate_limited=n["rate_limited"], timed_out=n["timed_out"],
        )
        for arm, n in sorted(found.items())
    )  # fmt: skip


def results_of(log: Log) -> Iterable[ResultRecorded]:
    after = 0
    while rows := log.rows(after, 512):
        for _, _, _, topic, state in rows:
            if topic == ResultRecorded.TOPIC:
                event = log.catalogue.decode(topic, state)
                assert isinstance(event, ResultRecorded)
                yield event
        after = rows[-1][0]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None

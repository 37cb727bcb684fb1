"""The rules of the guardrails themselves: state, command and `now` go in, events come out or a coded refusal."""

from typing import Any, NamedTuple

from ..errors import BadInput
from ..ledger.events import Event
from ..redacting import without_secrets
from . import events as e
from .errors import NoSuchHit, PromotionRefused
from .matching import matcher_of
from .rulefile import RuleSet
from .state import Hit, State, hit_key
from .statistics import labels_needed, upper_bound
from .terms import Decision, Label, Mode

TARGET, MOST_ROUNDS, LONGEST_OFF = 0.05, 3, 24 * 3600.0
MOST_COMMANDS, LONGEST_CHECK_S = 50, 3600.0


class Figures(NamedTuple):
    """What the labels of one family in one scope say."""

    true: int
    false: int
    unclear: int
    bound: float

    @property
    def rate(self) -> float | None:
        judged = self.true + self.false
        return self.false / judged if judged else None


def figures(state: State, family: str, scope: str = "") -> Figures:
    """Labels of hits that would block and that the rules in force would still find; what was tuned away is over."""
    found = dict.fromkeys(Label, 0)
    for hit in state.hits.values():
        if hit.label is not None and hit.family == family and hit.would is Decision.BLOCK and under(hit.path, scope):
            found[hit.label] += still_hit(state, hit)
    true, false = found[Label.TP], found[Label.FP]
    return Figures(true, false, found[Label.UNCLEAR], upper_bound(false, true + false))


def under(path: str, scope: str) -> bool:
    return not scope or path == scope or path.startswith(scope.rstrip("/") + "/")


def still_hit(state: State, hit: Hit) -> bool:
    rules = state.versions.get(state.rules)
    if rules is None or hit.rules == state.rules or not hit.path:
        return True
    matcher = matcher_of(RuleSet(state.rules, rules))
    return any(rules[number].name == hit.rule for number in matcher.files(hit.path))


def promote(state: State, family: str, scope: str, actor: str, now: float, target: float = TARGET) -> list[Event]:
    """Granted only when the labels rule out a false-positive rate above the target; else a `PromotionDenied`."""
    _check_family(state, family)
    if not 0.0 < target < 1.0:
        raise BadInput("the target is a share between 0 and 1", cure="0.05 is 5 %")
    seen = figures(state, family, scope)
    numbers: dict[str, Any] = {"clean": seen.true, "false": seen.false, "bound": seen.bound, "target": target}
    if seen.bound > target:
        return [e.PromotionDenied(family=family, scope=scope, actor=actor, at=now, **numbers)]
    return [
        e.ModeChanged(
            family=family, scope=scope, mode=Mode.ENFORCE, cause="promotion", actor=actor, at=now, **numbers
        )
    ]  # fmt: skip


def refusal(denied: e.PromotionDenied) -> PromotionRefused:
    needed = labels_needed(denied.false, denied.target)
    return PromotionRefused(
        f"{denied.family} is not promoted",
        why=f"with {denied.clean} true and {denied.false} false positives its rate may be {denied.bound:.2%}, "
        f"the target is {denied.target:.0%}",
        cure=f"with {denied.false} false positives it takes {needed} labels; label more hits or tune the rule",
    )


def set_mode(state: State, family: str, scope: str, mode: Mode, actor: str, now: float) -> list[Event]:
    """Down at any time by anybody's word; up only by promotion."""
    _check_family(state, family)
    if mode is Mode.ENFORCE:
        raise BadInput("enforcing is what promotion decides", cure=f"control-plane guard promote {family}")
    return [e.ModeChanged(family=family, scope=scope, mode=mode, cause="operator", actor=actor, at=now)]


def label_hit(
    state: State, decision: str, rule: str | None, label: Label, actor: str, note: str, now: float
) -> list[Event]:
    """A label, and with a false positive too many the demotion in the same breath."""
    keys = [key for key in state.hits if key.startswith(f"{decision}\n")]
    if rule is not None:
        keys = [key for key in keys if key == hit_key(decision, rule)]
    if not keys:
        raise NoSuchHit(f"no hit of {decision} can be labelled", cure="see `control-plane guard report labels`")
    if rule is None and len(keys) > 1:
        names = ", ".join(key.partition("\n")[2] for key in keys)
        blocking = [key for key in keys if state.hits[key].would is Decision.BLOCK]
        if len(blocking) != 1:
            raise NoSuchHit(f"{decision} hit several rules: {names}", cure="name one with --rule")
        keys = blocking
    name, hit = keys[0].partition("\n")[2], state.hits[keys[0]]
    events: list[Event] = [
        e.HitLabelled(decision=decision, rule=name, label=label, actor=actor, note=without_secrets(note[:500]), at=now)
    ]
    return events + (_demotions(state, hit, now) if label is Label.FP and hit.label is not Label.FP else [])


def _demotions(state: State, hit: Hit, now: float) -> list[Event]:
    """Every scope of the family that enforces at this path and whose figures no longer bear it."""
    events: list[Event] = []
    known = [key.partition("\n")[2] for key, mode in state.modes.items()
             if key.partition("\n")[0] == hit.family and mode is Mode.ENFORCE]  # fmt: skip
    scopes = [scope for scope in known if under(hit.path, scope)]
    if not scopes and hit.live is Decision.BLOCK:
        scopes = [""]
    for scope in scopes:
        seen = figures(state, hit.family, scope)
        false, true = seen.false + 1, seen.true - (hit.label is Label.TP)
        bound = upper_bound(false, true + false)
        if bound > TARGET:
            events.append(
                e.ModeChanged(
                    family=hit.family, scope=scope, mode=Mode.SHADOW, cause="demotion", actor="control-plane",
                    clean=true, false=false, bound=bound, target=TARGET, at=now,
                )
            )  # fmt: skip
    return events


def answer_stop(state: State, session: str, cause: str, now: float) -> e.StopAnswered:
    """Back to work, but no more than three times for one cause; a client that forgets its own count changes nothing."""
    known = state.sessions.get(session)
    before = known.rounds.get(cause, 0) if known else 0
    blocked = before < MOST_ROUNDS
    return e.StopAnswered(session=session, cause=cause, blocked=blocked, round=before + blocked, at=now)


def set_stop(
    scope: str, mode: str, actor: str, now: float, *, max_commands: int | None = None, timeout_s: float | None = None,
    include_test: bool | None = None,
) -> e.StopModeChanged:  # fmt: skip
    if mode not in ("plan", "execute"):
        raise BadInput(f"stop checks know no mode {mode!r}", cure="say plan or execute")
    if max_commands is not None and not 0 < max_commands <= MOST_COMMANDS:
        raise BadInput(f"{max_commands} commands at a stop are too few or too many", cure=f"up to {MOST_COMMANDS}")
    if timeout_s is not None and not 0 < timeout_s <= LONGEST_CHECK_S:
        raise BadInput(f"{timeout_s:g} s for a stop check is too short or too long", cure=f"up to {LONGEST_CHECK_S:g}")
    return e.StopModeChanged(
        scope=scope.strip("/"), mode=mode, actor=actor, max_commands=max_commands, timeout_s=timeout_s,
        include_test=include_test, at=now,
    )  # fmt: skip


def _check_family(state: State, family: str) -> None:
    rules = state.versions.get(state.rules, ())
    families = sorted({rule.family for rule in rules})
    if family not in families and not any(key.startswith(f"{family}\n") for key in state.modes):
        raise BadInput(f"no rule belongs to the family {family!r}", cure=f"there are {', '.join(families) or 'none'}")

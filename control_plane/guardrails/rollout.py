"""The eight phases of the rollout, each with what opened it and what closes it, out of the log alone."""

import msgspec

from .measures import DAY, WEEK, blocking_families, rules_of
from .state import State
from .terms import Mode

BURN_IN_S = DAY


class Evidence(msgspec.Struct, frozen=True):
    what: str
    there: bool
    seen: str


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    name: str
    status: str
    entry: tuple[Evidence, ...]
    exit: tuple[Evidence, ...]


def phases(state: State, now: float) -> tuple[Phase, ...]:
    """A phase that follows from another is entered when that one is done."""
    asked = (
        ("Merge and baseline lock", (), _baseline(state)),
        ("Observability", (0,), _observability(state)),
        ("Shadow burn-in", (1,), _burn_in(state)),
        ("Rule tuning", (2,), _tuning(state)),
        ("Progressive enforce", (3,), _enforce(state)),
        ("Stop runner, progressive execute", (1,), _execute(state)),
        ("Team playbook", (1,), _playbook(state)),
        ("Weekly optimization", (4, 5), _weekly(state, now)),
    )
    found: list[Phase] = []
    for number, (name, after, leaves) in enumerate(asked, 1):
        entry = tuple(
            Evidence(f"phase {found[one].number} is done", found[one].status == "done", found[one].name)
            for one in after
        ) or (_rules(state),)
        begun = all(one.there for one in entry)
        done = begun and all(one.there for one in leaves)
        status = "done" if done else "in progress" if begun else "pending"
        found.append(Phase(number=number, name=name, status=status, entry=entry, exit=leaves))
    return tuple(found)


def _rules(state: State) -> Evidence:
    return Evidence("rules are in force", bool(state.rules), state.rules or "none yet")


def _report(state: State, kind: str, after: float = 0.0) -> Evidence:
    at = state.reports.get(kind, 0.0)
    return Evidence(f"report `{kind}`", at > after, f"written {_when(at)}" if at else "not written yet")


def _baseline(state: State) -> tuple[Evidence, ...]:
    return _rules(state), _report(state, "baseline")


def _observability(state: State) -> tuple[Evidence, ...]:
    counts, first = state.counts, state.first_shadow
    return (
        Evidence("decisions in shadow", first > 0, f"{counts.decisions:,}, since {_when(first)}"),
        Evidence("stop checks planned", state.first_plan > 0, f"{counts.plans:,} plans"),
        Evidence("sessions observed", counts.sessions > 0, f"{counts.sessions:,}"),
        _report(state, "labels"),
        _report(state, "progress"),
    )  # fmt: skip


def _burn_in(state: State) -> tuple[Evidence, ...]:
    span = state.last_decision - state.first_decision
    labelled = sum(hit.label is not None for hit in state.hits.values())
    return (
        Evidence("at least one day of real work", span >= BURN_IN_S, f"{span / DAY:.1f} days"),
        Evidence("hits are labelled", labelled > 0, f"{labelled} of {len(state.hits)}"),
        _report(state, "burn-in"),
    )


def _tuning(state: State) -> tuple[Evidence, ...]:
    applied = [one for one in state.tunings if one.applied]
    noisy = [one for one in rules_of(state) if one.false]
    newest = max((one.at for one in applied), default=0.0)
    return (
        Evidence(
            "rules with false positives are tuned", bool(applied) or not noisy,
            f"{len(applied)} applied, {len(noisy)} rules with false positives",
        ),
        _report(state, "tuning"),
        Evidence(
            "burn-in was run again after the last tuning", state.reports.get("burn-in", 0.0) > newest,
            f"tuned {_when(newest)}" if newest else "nothing was tuned",
        ),
    )  # fmt: skip


def _enforce(state: State) -> tuple[Evidence, ...]:
    raised = [change for change in state.changes if change.mode is Mode.ENFORCE]
    standing = sorted({key.partition("\n")[0] for key, mode in state.modes.items() if mode is Mode.ENFORCE})
    lost = [change for change in state.changes if change.cause == "demotion"]
    return (
        Evidence("a family was promoted", bool(raised), f"{len(raised)} promotions, {len(lost)} demotions"),
        Evidence(
            "every family that blocks is enforced", bool(standing) and set(blocking_families(state)) <= set(standing),
            f"{', '.join(standing) or 'none'} of {', '.join(blocking_families(state)) or 'none'}",
        ),
        Evidence("enforcement was at work", state.first_enforced > 0, f"{state.counts.blocks:,} blocks"),
        _report(state, "expansion"),
    )  # fmt: skip


def _execute(state: State) -> tuple[Evidence, ...]:
    scopes = [scope or "the whole project" for scope, held in state.stop.items() if held.mode == "execute"]
    counts = state.counts
    ran = counts.stop_passed + counts.stop_failed + counts.stop_timed_out
    return (
        Evidence("a scope executes", bool(scopes), ", ".join(scopes) or "every scope plans"),
        Evidence("checks ran", ran > 0, f"{ran:,} ran, {counts.stop_timed_out:,} timed out"),
        Evidence("commands were resolved", bool(state.managers), ", ".join(state.managers) or "none"),
        _report(state, "execute"),
    )


def _playbook(state: State) -> tuple[Evidence, ...]:
    return (_report(state, "playbook"),)


def _weekly(state: State, now: float) -> tuple[Evidence, ...]:
    at = state.reports.get("weekly", 0.0)
    return (Evidence("a weekly report of the last seven days", at > now - WEEK, f"written {_when(at)}"),)


def _when(at: float) -> str:
    from datetime import UTC, datetime  # noqa: PLC0415 - a date is for people only

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M") if at else "never"

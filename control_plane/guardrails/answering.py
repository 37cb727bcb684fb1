"""The guardrails' answers as a client's plugin gets them: plain words, and never a silent yes."""

from collections.abc import Mapping
from typing import Any

import msgspec

from ..redacting import without_secrets
from . import events as e
from . import stopping
from .coverage import NOT_COVERED
from .hits import Answer
from .observing import is_edit, named, writable
from .rulefile import OWN_FAMILY
from .service import Guard, outside_of
from .terms import Decision, Mode


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """`decision` holds now, `would` is what enforcement would say; `warning` means that nobody can vouch for it."""

    decision: Decision
    would: Decision = Decision.ALLOW
    rule: str = ""
    message: str = ""
    mode: Mode = Mode.SHADOW
    decision_id: str = ""
    skip: str = ""
    warning: str = ""


class Failure(msgspec.Struct, frozen=True):
    root: str
    command: str
    outcome: str
    exit_code: int | None
    seconds: float
    output: str


class StopVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """`verdict` none, planned, passed, failed or given-up; only with `failed` shall the session be sent back."""

    verdict: str
    message: str = ""
    failures: tuple[Failure, ...] = ()
    planned: tuple[str, ...] = ()
    round: int = 0


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How the guardrails stand at this moment."""

    told: Mode | None
    enforced: tuple[str, ...]
    shadow: tuple[str, ...]
    rules: str
    alert: str
    off_until: float
    decisions: int
    blocks: int
    would_blocks: int
    sessions: int
    hook_failures: int
    protected: dict[str, bool]
    not_covered: tuple[str, ...] = NOT_COVERED


def check(
    guard: Guard, tool: str, arguments: Mapping[str, Any], *, session: str, cwd: str = "", client: str = "",
    told: Mapping[str, str] | None = None,
) -> Checked:  # fmt: skip
    """A check that fails blocks where a rule wants that, and else says aloud that nothing was checked."""
    try:
        answer = guard.check(
            tool, arguments, session=session, cwd=cwd, client=client, environment=guard.surroundings(told)
        )
    except Exception as fault:  # the client must get an answer that cannot be taken for a clean one
        return _unchecked(guard, tool, session, f"{type(fault).__name__}: {fault}")
    guard.tidy()
    return _checked(answer, outside_of(guard.project, cwd))


def prompt(guard: Guard, text: str, *, session: str, client: str = "") -> Checked:
    return _checked(guard.prompt(text, session=session, client=client), "")


def stop(
    guard: Guard, session: str, *, cwd: str = "", edited: list[str] | None = None,
    told: Mapping[str, str] | None = None, raises: bool = True,
) -> StopVerdict:  # fmt: skip
    """Plans or runs; a caller that may not raise the mode may still lower it, and none brings an environment."""
    paths = [guard.relative(path, cwd) for path in edited] if edited is not None else None
    stopped = stopping.stop(guard, session, guard.surroundings(told), edited=paths, raises=raises)
    guard.tidy()
    failed = tuple(
        Failure(
            result.check.root, " ".join(result.check.command), result.outcome, result.exit_code,
            round(result.seconds, 3), result.said,
        )
        for result in stopped.results
        if result.outcome != "passed"
    )  # fmt: skip
    if not stopped.plan.checks:
        verdict = "none"
    elif stopped.mode != "execute":
        verdict = "planned"
    elif stopped.blocks:
        verdict = "failed"
    else:
        verdict = "given-up" if any(one.outcome != "not-found" for one in failed) else "passed"
    planned = tuple(f"{one.root}: {' '.join(one.command)}" for one in stopped.plan.checks)
    return StopVerdict(
        verdict=verdict, message=stopped.message, failures=failed, planned=planned, round=stopped.round
    )  # fmt: skip


def standing(guard: Guard) -> Standing:
    guard.matcher()
    guard.ledger.flush()
    state, modes = guard.state(), guard.modes()
    families = sorted({rule.family for rule in state.versions.get(state.rules, ()) if rule.family != OWN_FAMILY})
    enforced = tuple(family for family in families if modes.of(family, "")[0] is Mode.ENFORCE)
    scoped = tuple(
        f"{family} in {scope}" for key, mode in sorted(state.modes.items()) if mode is Mode.ENFORCE
        for family, _, scope in [key.partition("\n")] if scope
    )  # fmt: skip
    newest = list(state.sessions)[-20:]
    return Standing(
        told=modes.told, enforced=enforced + scoped, shadow=tuple(f for f in families if f not in enforced),
        rules=state.rules, alert=state.alert, off_until=modes.off_until if modes.off_until > guard.now() else 0.0,
        decisions=state.counts.decisions, blocks=state.counts.blocks, would_blocks=state.counts.would_blocks,
        sessions=state.counts.sessions, hook_failures=state.counts.failures,
        protected={session: guard.protected(session) for session in newest},
    )  # fmt: skip


def _checked(answer: Answer, uncovered: str) -> Checked:
    first = answer.hits[0] if answer.hits else None
    alert = f"{answer.alert}; the last good rules are in force" if answer.alert else ""
    off = f"guardrails are {answer.skip}" if answer.skip.startswith("switched off") else ""
    return Checked(
        decision=answer.live, would=answer.would, rule=first.rule if first else "", message=answer.message,
        mode=first.mode if first else Mode.OFF if answer.skip in ("mode off", "switched off by a person")
        else Mode.SHADOW,
        decision_id=answer.decision, skip=answer.skip,
        warning="; ".join(note for note in (alert, off, uncovered) if note),
    )  # fmt: skip


def _unchecked(guard: Guard, tool: str, session: str, fault: str) -> Checked:
    strict = is_edit(tool) and any(
        rule.on_error == "block" and rule.family != OWN_FAMILY for rule in guard.last_rules()
    )
    guard.ledger.record(
        e.HookFailed(
            session=named(session[:200]), event="PreToolUse", tool=writable(tool[:200]),
            reason=without_secrets(writable(fault[:500])), went_on=not strict, at=guard.now(),
        )
    )  # fmt: skip
    told = f"control-plane guard could not look at this call: {fault[:300]}"
    return Checked(
        decision=Decision.BLOCK if strict else Decision.ALLOW, message=told if strict else "", warning=told
    )  # fmt: skip

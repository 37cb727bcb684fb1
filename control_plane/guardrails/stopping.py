"""What happens when a session stops: plan the checks, run them where that is wanted, send it back when they fail."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import NamedTuple

from ..clock import Clock, new_id
from ..ledger.events import Event
from . import events as e
from .observing import named, writable
from .planning import Check, Plan, plan
from .rules import answer_stop
from .running import Result, run_check
from .service import Guard
from .state import State, StopScope

TIMEOUT_S, LONGEST_MESSAGE = 120.0, 12_000


class Stopped(NamedTuple):
    """`blocks`: the session shall go on; `message` begins with its marker."""

    blocks: bool
    message: str
    plan: Plan
    results: tuple[Result, ...] = ()
    mode: str = "plan"
    round: int = 0


def stop(
    guard: Guard, session: str, environment: Mapping[str, str], *, edited: Iterable[str] | None = None,
    execute: bool | None = None, raises: bool = True,
) -> Stopped:  # fmt: skip
    """The stop checks of one session, over what it edited; the strictest brake of all who speak wins."""
    session = named(session)
    guard.ledger.flush()
    guard.save_sessions()
    state = guard.state()
    known = state.sessions.get(session)
    paths = [writable(path) for path in edited] if edited is not None else list(known.edited if known else ())
    flags = guard.settings()
    modes = {path: _settings(state, path) for path in paths}
    most = min([flags.stop_max_commands, *(s.max_commands for s in modes.values() if s.max_commands is not None)])
    tests = flags.stop_include_test or any(scope.include_test for scope in modes.values())
    made = plan(guard.project, paths, most=most, tests=tests)
    if not made.checks:
        return Stopped(False, "", made)
    runs = _chosen(guard, modes, made, environment, execute, raises)
    name = new_id(guard.now())
    mode = "execute" if runs else "plan"
    guard.ledger.record(
        e.StopPlanned(
            plan=name, session=session, mode=mode, commands=tuple(check.command for check in made.checks),
            roots=tuple(map(writable, made.roots)), dropped=made.dropped, at=guard.now(),
        )
    )  # fmt: skip
    if not runs:
        return Stopped(False, _planned(made), made)
    clock = guard.ledger.clock
    results = tuple(
        run_check(guard.project, check, _timeout(state, check.root), environment, clock) for check in runs
    )  # fmt: skip
    for result in results:
        guard.ledger.record(_checked(name, session, result, clock))
    return _answered(guard, session, made, results)


def _chosen(
    guard: Guard, modes: Mapping[str, StopScope], made: Plan, environment: Mapping[str, str], execute: bool | None,
    raises: bool,
) -> list[Check]:  # fmt: skip
    """The checks that are run; the others are only shown."""
    wanted = environment.get("OPENCODE_STOP_CHECK_MODE", "").strip()
    if wanted == "plan" or guard.modes().off_until > guard.now():
        return []
    if execute is not None:
        return list(made.checks) if execute else []
    # What nobody here decided, a caller may that is trusted with it: programs run as this process's user.
    eager = raises and wanted == "execute" and not guard.said("OPENCODE_STOP_CHECK_MODE")
    return [check for check in made.checks if _executes(guard, modes, check.root, eager=eager)]


def _answered(guard: Guard, session: str, made: Plan, results: tuple[Result, ...]) -> Stopped:
    failed = [result for result in results if result.outcome in ("failed", "timed-out")]
    missing = [result for result in results if result.outcome == "not-found"]
    notes = [f"could not run: {' '.join(result.check.command)} ({result.said})" for result in missing]
    if not failed:
        told = "\n".join([f"[STOP CHECKS] {len(results) - len(missing)} passed", *notes])
        return Stopped(False, told, made, results, "execute")
    cause = cause_of(failed)
    guard.ledger.flush()

    def decide(state: State) -> list[Event]:
        return [answer_stop(state, session, cause, guard.now())]

    answered = guard.write(decide)[0]
    assert isinstance(answered, e.StopAnswered)
    told = _failures(failed, notes, answered)
    return Stopped(answered.blocked, told, made, results, "execute", answered.round)


def cause_of(failed: list[Result]) -> str:
    """The same commands failing are one cause, whatever they print this time."""
    names = sorted(f"{result.check.root} {' '.join(result.check.command)}" for result in failed)
    return blake2b("\n".join(names).encode(), digest_size=8).hexdigest()


def _settings(state: State, path: str) -> StopScope:
    """The longest scope that holds the path; the whole project is the scope with the empty name."""
    parts = path.split("/")
    for length in range(len(parts), -1, -1):
        found = state.stop.get("/".join(parts[:length]))
        if found is not None:
            return found
    return StopScope("")


def _executes(guard: Guard, modes: Mapping[str, StopScope], root: str, *, eager: bool) -> bool:
    scope = _settings(guard.state(), "" if root == "." else root)
    told = {
        scope.mode,
        *(s.mode for path, s in modes.items() if s.mode and (root == "." or path.startswith(root + "/"))),
    } - {""}
    if told:
        return told == {"execute"}
    return eager or guard.settings().stop_check_mode == "execute"


def _timeout(state: State, root: str) -> float:
    return _settings(state, "" if root == "." else root).timeout_s or TIMEOUT_S


def _checked(name: str, session: str, result: Result, clock: Clock) -> e.StopChecked:
    return e.StopChecked(
        plan=name, session=session, root=result.check.root, command=result.check.command, kind=result.check.kind,
        outcome=result.outcome, exit_code=result.exit_code, seconds=round(result.seconds, 3),
        output_bytes=result.output_bytes, output_digest=result.digest, at=clock.now(),
    )  # fmt: skip


def _planned(made: Plan) -> str:
    lines = [f"[STOP CHECK PLAN] {check.root}: {' '.join(check.command)}" for check in made.checks]
    lines += [f"[STOP CHECK PLAN] {made.dropped} more are over the cap"] if made.dropped else []
    return "\n".join(lines)


def _failures(failed: list[Result], notes: list[str], answered: e.StopAnswered) -> str:
    head = f"[STOP CHECKS] {len(failed)} failed; mend them before you stop (round {answered.round} of 3)."
    if not answered.blocked:
        head = f"[STOP CHECKS] {len(failed)} still fail after 3 rounds; the session may stop, a person has to look."
    room = LONGEST_MESSAGE // len(failed)
    told = [
        f"$ cd {result.check.root} && {' '.join(result.check.command)}  → "
        f"{result.outcome}{'' if result.exit_code is None else f' ({result.exit_code})'}\n{result.said[-room:]}"
        for result in failed
    ]
    return "\n".join([head, *told, *notes])[: LONGEST_MESSAGE + 2000]

"""Without a resident process: decide here, and without a log that can be opened, decide from the files alone."""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from . import outside
from .deciding import Modes, Past, decide
from .events import Observation
from .hooking import Reply, named
from .loading import RuleFiles, project_root
from .matching import Matcher, matcher_of, with_own
from .messages import messages
from .observing import Call, is_edit, observe
from .rulefile import OWN_FAMILY, rule_set
from .terms import Decision, Mode

# What opens a plane stands on a higher floor, so it is handed in.
Open = Callable[[str], AbstractContextManager[Any]]


def decide_alone(payload: Mapping[str, Any], home: str, environment: Mapping[str, str], opening: Open) -> Reply:
    """With the log when it opens, else from the files alone."""
    try:
        with opening(home) as plane:
            from .claude import reply  # noqa: PLC0415 - only where there is a plane

            answer = reply(plane.guard, payload, environment)
            plane.guard.save_sessions()
            return answer
    except Exception as fault:  # a log that does not open must not stop the guard
        return decide_bare(payload, home, environment, f"{type(fault).__name__}: {fault}")


def decide_bare(payload: Mapping[str, Any], home: str, environment: Mapping[str, str], fault: str) -> Reply:
    """From the rules' files and this environment; `onError: block` stands even where the mode is unknown."""
    names = named(payload)
    note = f"control-plane guard has no log: {fault[:300]}\n"
    now = outside.now()
    if names[1] != "PreToolUse" or outside.switched_off(home, now) is not None:
        outside.keep_failure(home, *names, fault, went_on=True)
        return Reply(1, "", note)
    project = environment.get("CLAUDE_PROJECT_DIR") or project_root(os.getcwd())
    loaded = RuleFiles(project).look(known=False)
    matcher = matcher_of(loaded.rules if loaded and loaded.rules else with_own(rule_set([])))
    mode = environment.get("OPENCODE_ENFORCEMENT_MODE", "")
    modes = Modes(told=Mode(mode) if mode in ("off", "shadow", "enforce") else None)
    strict = {rule.name for rule in matcher.rules.rules if rule.on_error == "block" and rule.family != OWN_FAMILY}
    try:
        verdict = decide(matcher, modes, Past(), _seen(payload, matcher, project, home, environment), now)
        said = messages(matcher, "unrecorded", verdict.hits)
        firm = any(hit.would is Decision.BLOCK and hit.rule in strict for hit in verdict.hits)
    except Exception as trouble:  # what could not be looked at is stopped where a rule asks for that
        verdict, firm = None, bool(strict) and is_edit(names[2])
        said = f"this call could not be looked at: {type(trouble).__name__}: {trouble}"[:500]
    blocked = (verdict is not None and verdict.live is Decision.BLOCK) or (firm and modes.told is not Mode.OFF)
    outside.keep_failure(home, *names, fault, went_on=not blocked)
    return Reply(2 if blocked else 1, "", f"{said}\n{note}".lstrip("\n"))


def _seen(
    payload: Mapping[str, Any], matcher: Matcher, project: str, home: str, environment: Mapping[str, str]
) -> Observation:
    session, event, tool = named(payload)
    told = payload.get("tool_input")
    call = Call(tool, told if isinstance(told, dict) else {}, str(payload.get("cwd") or project), project)
    return observe(
        call, matcher, event=event, session=session, client="claude-code", home=home, environment=environment
    )  # fmt: skip

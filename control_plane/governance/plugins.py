"""The plugin supervisor: what was seen of a plugin decides whether it runs. Pure, as rules are."""

import re
from typing import NamedTuple

import msgspec

from ..errors import BadInput
from ..ledger.events import Event
from ..redacting import without_secrets
from .plugin_events import Health, PluginObserved, PluginReleased, Reason

CRASH_LOOP = 3
ERROR_CHARS = 500
_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)

# What a plugin did itself: it comes out of quarantine by a person alone, not by being started anew.
_OWN_DEEDS = ("policy-violation", "crash-loop")


class Observation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plugin as it was seen by whoever runs it."""

    configured: bool = True
    discovered: bool = True
    heartbeat_ok: bool = True
    dependency_ok: bool = True
    policy_violation: bool = False
    crash_count: int = 0
    last_error: str = ""


class Judged(NamedTuple):
    state: Health
    reason: Reason


class Plugin(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin as it stands; `forgiven` crashes were counted before a person released it."""

    seen: Observation
    state: Health
    reason: Reason
    since: float
    forgiven: int = 0


class Plugins(msgspec.Struct):
    known: dict[str, Plugin] = {}
    version: int = 0


def judge(seen: Observation, forgiven: int = 0) -> Judged:
    """The first of these that is true."""
    true: tuple[tuple[bool, Health, Reason], ...] = (
        (not seen.configured and not seen.discovered, "unknown", "not-discovered"),
        (not seen.dependency_ok, "quarantine", "dependency-break"),
        (seen.policy_violation, "quarantine", "policy-violation"),
        (seen.crash_count - forgiven >= CRASH_LOOP, "quarantine", "crash-loop"),
        (not seen.discovered, "degraded", "not-discovered"),
        (not seen.heartbeat_ok, "degraded", "missing-heartbeat"),
        (True, "healthy", "healthy"),
    )
    return next(Judged(state, reason) for holds, state, reason in true if holds)


def observe(plugins: Plugins, name: str, seen: Observation, now: float) -> list[Event]:
    """Nothing when nothing changed."""
    check_name(name)
    if seen.crash_count < 0:
        raise BadInput(f"{name} cannot have crashed {seen.crash_count} times")
    seen = msgspec.structs.replace(seen, last_error=seen.last_error[:ERROR_CHARS])
    known = plugins.known.get(name)
    held, forgiven = (Judged(known.state, known.reason), known.forgiven) if known is not None else (None, 0)
    found = judge(seen, min(forgiven, seen.crash_count))
    if held is not None and held.reason in _OWN_DEEDS and found.reason not in _OWN_DEEDS:
        found = held
    if known is not None and (known.seen, held) == (seen, found):
        return []
    return [PluginObserved(at=now, plugin=name, state=found.state, reason=found.reason, **msgspec.structs.asdict(seen))]


def release(plugins: Plugins, name: str, actor: str, reason: str, now: float) -> list[Event]:
    """Let it out of quarantine; what is still wrong with it puts it back at the next look."""
    check_name(name)
    known = plugins.known.get(name)
    if known is None or known.state != "quarantine":
        raise BadInput(f"{name} is not in quarantine", cure="see `control-plane plugins list`")
    if not actor.strip() or not reason.strip():
        raise BadInput("a release names who did it and why")
    return [PluginReleased(at=now, plugin=name, actor=actor, reason=without_secrets(reason))]


def fold(plugins: Plugins, event: Event) -> None:
    match event:
        case PluginObserved():
            known = plugins.known.get(event.plugin)
            changed = known is None or (known.state, known.reason) != (event.state, event.reason)
            fields = {name: getattr(event, name) for name in Observation.__struct_fields__}
            plugins.known[event.plugin] = Plugin(
                seen=Observation(**fields),
                state=event.state,
                reason=event.reason,
                since=event.at if known is None or changed else known.since,
                # Who counts from nought again has been started anew.
                forgiven=min(known.forgiven, event.crash_count) if known is not None else 0,
            )
            plugins.version += 1
        case PluginReleased():
            known = plugins.known[event.plugin]
            plugins.known[event.plugin] = msgspec.structs.replace(
                known, state="unknown", reason="released", since=event.at, forgiven=known.seen.crash_count
            )
            plugins.version += 1


def distribution(plugins: Plugins) -> dict[Health, int]:
    """How many plugins are in each state."""
    states: tuple[Health, ...] = ("unknown", "healthy", "degraded", "quarantine")
    return {state: sum(plugin.state == state for plugin in plugins.known.values()) for state in states}


def may_run(plugins: Plugins, name: str) -> bool:
    """Whoever is in quarantine does not run; who was never seen may be tried."""
    known = plugins.known.get(check_name(name))
    return known is None or known.state != "quarantine"


def check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise BadInput(f"{name[:120]!r} is no name of a plugin", why="it has 1 to 100 letters, digits, _ and -")
    return name

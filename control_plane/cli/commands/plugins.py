"""`plugins` shows how the plugins are; what is in quarantine is let out by a person."""

import argparse
from typing import TYPE_CHECKING, Any

from ..command import argument, command
from ..printing import Output, pairs, table

if TYPE_CHECKING:
    from ...governance.plugins import Plugin

_NAME = argument("name", metavar="NAME", help="letters, digits, _ and -")


@command("plugins list", "every plugin that was seen, its state and why", "control-plane plugins list")
def plugins_list(arguments: argparse.Namespace, out: Output) -> int:
    from ..planes import looking

    with looking(arguments) as plane:
        known = plane.plugins.states()
        counts = plane.plugins.distribution()
    facts = {"plugins": [_facts(name, plugin) for name, plugin in sorted(known.items())], "states": counts}
    rows = [
        (name, plugin.state, plugin.reason, str(plugin.seen.crash_count), plugin.seen.last_error)
        for name, plugin in sorted(known.items())
    ]
    shown = table(("plugin", "state", "reason", "crashes", "last error"), rows, right=(3,)) if rows else []
    counted = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    out.answer(facts, [*shown, *([""] if shown else []), counted or "no plugin was seen yet"])
    return 0


@command(
    "plugins observe",
    "say what was seen of a plugin; what is wrong with it puts it into quarantine",
    "control-plane plugins observe guard",
    "control-plane plugins observe guard --crashes 3 --error 'exit 1'",
    arguments=[
        _NAME,
        argument("--not-configured", action="store_true", help="no configuration asks for it"),
        argument("--not-discovered", action="store_true", help="it was not found"),
        argument("--no-heartbeat", action="store_true", help="it does not answer"),
        argument("--dependency-broken", action="store_true", help="something that it needs is not there"),
        argument("--policy-violation", action="store_true", help="it did what it may not"),
        argument("--crashes", type=int, default=0, metavar="N", help="how often it crashed so far"),
        argument("--error", default="", metavar="WORDS", help="its last error"),
    ],
)
def observe(arguments: argparse.Namespace, out: Output) -> int:
    from ...governance.plugins import Observation
    from ..planes import deciding

    seen = Observation(
        configured=not arguments.not_configured,
        discovered=not arguments.not_discovered,
        heartbeat_ok=not arguments.no_heartbeat,
        dependency_ok=not arguments.dependency_broken,
        policy_violation=arguments.policy_violation,
        crash_count=arguments.crashes,
        last_error=arguments.error,
    )
    with deciding(arguments) as plane:
        return _told(arguments.name, plane.plugins.observe(arguments.name, seen), out)


@command(
    "plugins release",
    "let a plugin out of quarantine",
    "control-plane plugins release guard --actor ana --reason mended",
    arguments=[
        _NAME,
        argument("--actor", required=True, metavar="WHO", help="who decided it"),
        argument("--reason", required=True, metavar="WORDS", help="kept in the event"),
    ],
)
def release(arguments: argparse.Namespace, out: Output) -> int:
    from ..planes import looking

    with looking(arguments) as plane:
        return _told(arguments.name, plane.plugins.release(arguments.name, arguments.actor, arguments.reason), out)


def _told(name: str, plugin: "Plugin", out: Output) -> int:
    out.answer(_facts(name, plugin), pairs([("plugin", name), ("state", plugin.state), ("reason", plugin.reason)]))
    return 0


def _facts(name: str, plugin: "Plugin") -> dict[str, Any]:
    import msgspec

    seen: dict[str, Any] = msgspec.to_builtins(plugin.seen)
    return {"plugin": name, "state": plugin.state, "reason": plugin.reason, "since": plugin.since} | seen

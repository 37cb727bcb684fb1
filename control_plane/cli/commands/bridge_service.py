"""`bridge token`, `call`, `audit`, `review` and `supervise`: what keeps the bridge going, and what looks back."""

import argparse
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...durations import seconds_of
from ..command import argument, command
from ..printing import Output, pairs, table
from .bridge import operator

if TYPE_CHECKING:
    import threading

    from ...plane import ControlPlane

_ROLES = ("participant", "coordinator", "auditor")
_ACTOR = argument("--actor", metavar="NAME", help="who says so (default: the user)")


@command(
    "bridge token",
    "a token of this home's own issuer, for an agent; the server lets it in",
    "control-plane bridge token --agent-id reviewer --role participant --workspace-id acme --session-id s1",
    arguments=(
        argument("--agent-id", required=True, metavar="NAME", help="the agent"),
        argument("--role", required=True, choices=_ROLES, help="what it may do"),
        argument("--workspace-id", required=True, metavar="NAME", help="where"),
        argument("--session-id", required=True, metavar="ID", help="its session"),
        argument("--ttl", default="1h", metavar="TIME", help="how long it lives, as 90m, 12h or 7d (default: 1h)"),
    ),
)
def token(arguments: argparse.Namespace, out: Output) -> int:
    from ... import extras
    from ...clock import Clock
    from ...errors import MissingExtra

    try:
        from ...access.issuing import issue
    except ImportError as fault:
        raise MissingExtra(f"tokens need {fault.name}", cure=extras.install("serve")) from None
    from ..planes import deciding

    with deciding(arguments) as plane:
        made, claims = issue(
            plane.token_file.parent, agent=arguments.agent_id, role=arguments.role, workspace=arguments.workspace_id,
            session=arguments.session_id, now=Clock().now(), ttl=seconds_of(arguments.ttl),
        )  # fmt: skip
    out.answer({"token": made, "claims": claims}, [made])
    return 0


@command(
    "bridge call",
    "one of the nine methods, as an operator",
    """control-plane bridge call create_thread '{"workspace_id": "acme", "title": "A review", "type": "workflow", "participants": ["exec"]}'""",  # noqa: E501 - one line, to be copied
    arguments=(
        argument("method", metavar="METHOD", help="as create_thread or read_messages"),
        argument("request", metavar="JSON", help="the request, or - for stdin"),
        _ACTOR,
    ),
)
def call(arguments: argparse.Namespace, out: Output) -> int:
    from ..files import content_of
    from ..planes import deciding

    raw = content_of("-") if arguments.request == "-" else arguments.request.encode()
    with deciding(arguments) as plane:
        facts = plane.bridge.call(arguments.method, operator(arguments), raw)
    out.answer(facts, pairs([(name, str(value)) for name, value in facts.items()]))
    return 0


@command(
    "bridge audit",
    "who did what on the bridge, refusals included, the newest last",
    "control-plane bridge audit --since 7d",
    arguments=(
        argument("--since", default="7d", metavar="TIME", help="how far back, as 12h or 7d (default: 7d)"),
        argument("--limit", type=int, default=200, metavar="N", help="at most so many (default: 200)"),
    ),
)
def audit(arguments: argparse.Namespace, out: Output) -> int:
    from ...bridge.auditing import audit_row
    from ..planes import looking

    with looking(arguments) as plane:
        begin = plane.ledger.clock.now() - seconds_of(arguments.since)
        rows = [row for one in _read(plane) if one.event.at >= begin and (row := audit_row(one)) is not None]
    facts = rows[-max(0, arguments.limit) :]
    lines = [(r["created_at"], r["actor_agent_id"], r["operation"], r["resource_id"] or "", r["result"]) for r in facts]
    shown = table(("at", "who", "operation", "what", "result"), lines) if lines else ["nothing happened"]
    out.answer(facts, shown)
    return 0


@command(
    "bridge review",
    "cycle times against the time before, escalations, false positives, what people said, and what to do next",
    "control-plane bridge review --since 14d",
    arguments=(argument("--since", default="14d", metavar="TIME", help="how far back (default: 14d)"),),
)
def review(arguments: argparse.Namespace, out: Output) -> int:
    from ...bridge.looking_back import look_back
    from ..planes import looking

    with looking(arguments) as plane:
        now = plane.ledger.clock.now()
        facts = look_back((one.event for one in _read(plane)), now - seconds_of(arguments.since), now)
    out.answer(facts, _looked_back(facts))
    return 0


@command(
    "bridge supervise",
    "wake who sleeps and has something to read, until SIGINT or SIGTERM",
    "control-plane bridge supervise --once",
    arguments=(
        argument("--config", metavar="FILE", help="runtimes, drivers, limits (TOML); else the home's bridge.toml"),
        argument("--once", action="store_true", help="look once, and end"),
    ),
)
def supervise(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ...bridge.configuring import Settings
    from ...plane import ControlPlane
    from ..printing import to_json
    from ..supervising import settings_of, supervised, supervisor_over

    def tell(told: dict[str, Any]) -> None:
        out.say(to_json(told))

    with ControlPlane.open(arguments.home, state_dir=arguments.state_dir) as plane:
        settings = settings_of(plane, arguments.config) or Settings()
        if arguments.once:
            with supervisor_over(plane, settings, tell, alone=True) as supervisor:
                facts = msgspec.to_builtins(supervisor.tick())
            out.answer(facts, pairs([(name, str(value)) for name, value in facts.items() if value != ""]))
            return 1 if facts["fault"] else 0
        with _told_to_end() as told, supervised(plane, settings, tell) as supervisor:
            out.answer({"holder": supervisor.holder, "every_s": supervisor.every}, [f"{supervisor.holder} supervises"])
            out.flush()
            told.wait()
    return 0


@contextlib.contextmanager
def _told_to_end() -> "Iterator[threading.Event]":
    import signal
    import threading

    told = threading.Event()
    before = {number: signal.signal(number, lambda *_: told.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _read(plane: "ControlPlane") -> Iterator[Any]:
    after, chunk = 0, 4096
    while True:
        rows = plane.ledger.rows(after, chunk)
        for row in rows:
            if row[3].startswith("bridge."):
                yield plane.ledger.decoded(row)
        if len(rows) < chunk:
            return
        after = rows[-1][0]


def _looked_back(facts: dict[str, Any]) -> list[str]:
    rows = []
    for name, words in (("thread_cycle_s", "thread"), ("finding_cycle_s", "finding"), ("wake_cycle_s", "wake")):
        now, before = facts["now"][name], facts["baseline"][name]
        rows.append(
            (words, str(now["count"]), _span(now["p50"]), _span(now["p95"]), _span(before["p50"]), _span(before["p95"]))
        )
    heads = ("cycle", "count", "p50", "p95", "p50 before", "p95 before")
    share = facts["now"]["false_positive_share"]
    told = [
        ("escalations", ", ".join(f"{n} {k}" for k, n in facts["now"]["escalations"].items()) or "none"),
        ("false positives", "nobody judged" if share is None else f"{share:.0%}"),
        ("feedback", ", ".join(f"{n} {k}" for k, n in facts["now"]["feedback"].items()) or "none"),
        ("next", "; ".join(f"{one['what']} ({one['count']})" for one in facts["backlog"][:5]) or "nothing stands out"),
    ]
    return [*table(heads, rows, right=(1, 2, 3, 4, 5)), "", *pairs(told)]


def _span(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f} s"

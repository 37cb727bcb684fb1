"""`bridge` shows threads and wakes to operators, and lets them step in; each change names who made it."""

import argparse
from typing import TYPE_CHECKING, Any

from ..command import argument, command
from ..printing import Output, pairs, table

if TYPE_CHECKING:
    from ...bridge.rules import Actor

_THREAD = argument("--thread-id", required=True, metavar="ID", help="the thread, as `bridge threads` shows it")
_REASON = argument("--reason", required=True, metavar="WORDS", help="kept in the signed event")
_ACTOR = argument("--actor", metavar="NAME", help="who says so (default: the user)")
_AGENT = argument("--agent-id", required=True, metavar="NAME", help="the agent")


@command(
    "bridge inspect-thread",
    "a thread with its participants, newest messages and wakes",
    "control-plane bridge inspect-thread --thread-id $THREAD",
    arguments=(
        _THREAD,
        argument("--messages", type=int, default=20, metavar="N", help="so many of the newest"),
        _ACTOR,
    ),
)
def inspect(arguments: argparse.Namespace, out: Output) -> int:
    from ..planes import looking

    with looking(arguments) as plane:
        facts = plane.bridge.inspect(arguments.thread_id, operator(arguments), max(0, arguments.messages))
    out.answer(facts, [*pairs(_of_thread(facts)), "", *_messages(facts), *_jobs(facts["triggers"])])
    return 0


@command(
    "bridge threads",
    "every thread, the one that changed last first",
    "control-plane bridge threads --status active",
    arguments=(argument("--status", metavar="STATUS", help="active, blocked, resolved or closed"), _ACTOR),
)
def threads(arguments: argparse.Namespace, out: Output) -> int:
    from ..planes import looking

    with looking(arguments) as plane:
        facts = plane.bridge.threads(operator(arguments), status=arguments.status)
    rows = [
        (t["thread_id"], t["status"], str(t["last_seq"]), ", ".join(w["agent_id"] for w in t["waited_for"]), t["title"])
        for t in facts
    ]
    out.answer(facts, table(("thread", "status", "messages", "waited for", "title"), rows, right=(2,)))
    return 0


@command(
    "bridge jobs",
    "wakes that are under way, or those that were given up",
    "control-plane bridge jobs",
    "control-plane bridge jobs --dead --json",
    arguments=(argument("--dead", action="store_true", help="those that were given up"), _ACTOR),
)
def jobs(arguments: argparse.Namespace, out: Output) -> int:
    from ..planes import looking

    with looking(arguments) as plane:
        facts = plane.bridge.jobs(operator(arguments), dead=arguments.dead)
    out.answer(facts, _jobs(facts) or ["no wake is under way" if not arguments.dead else "no wake was given up"])
    return 0


def _set_status(arguments: argparse.Namespace, out: Output, status: str) -> int:
    from ...bridge.terms import Status
    from ..planes import looking

    with looking(arguments) as plane:
        facts = plane.bridge.set_status(arguments.thread_id, Status(status), arguments.reason, operator(arguments))
    out.answer(facts, [f"{facts['thread_id']} was {facts['previous_status']} and is {facts['status']}"])
    return 0


@command(
    "bridge escalate-thread",
    "block a thread: nobody is woken for it until it is unblocked",
    "control-plane bridge escalate-thread --thread-id $THREAD --reason 'goes in circles'",
    arguments=(_THREAD, _REASON, _ACTOR),
)
def escalate(arguments: argparse.Namespace, out: Output) -> int:
    return _set_status(arguments, out, "blocked")


@command(
    "bridge unblock-thread",
    "let a blocked thread go on",
    "control-plane bridge unblock-thread --thread-id $THREAD --reason 'seen to'",
    arguments=(_THREAD, _REASON, _ACTOR),
)
def unblock(arguments: argparse.Namespace, out: Output) -> int:
    return _set_status(arguments, out, "active")


@command(
    "bridge override-close-thread",
    "close a thread, a blocked one too",
    "control-plane bridge override-close-thread --thread-id $THREAD --reason 'human_override: not needed any more'",
    arguments=(_THREAD, _REASON, _ACTOR),
)
def override_close(arguments: argparse.Namespace, out: Output) -> int:
    from ...errors import BadInput

    if not arguments.reason.startswith("human_override:"):
        raise BadInput(
            "an override says that it is one", cure="begin the reason with it: --reason 'human_override: why'"
        )
    return _set_status(arguments, out, "closed")


@command(
    "bridge archive-thread",
    "serve a closed thread no more; the log keeps it",
    "control-plane bridge archive-thread --thread-id $CLOSED --reason 'a year old'",
    arguments=(_THREAD, _REASON, _ACTOR),
)
def archive(arguments: argparse.Namespace, out: Output) -> int:
    from ..planes import looking

    with looking(arguments) as plane:
        plane.bridge.archive(arguments.thread_id, arguments.reason, operator(arguments))
    out.answer({"thread_id": arguments.thread_id, "archived": True}, [f"{arguments.thread_id} is archived"])
    return 0


@command(
    "bridge participant add",
    "let an agent take part in a thread",
    "control-plane bridge participant add --thread-id $THREAD --agent-id tester",
    arguments=(_THREAD, _AGENT, _ACTOR),
)
def participant_add(arguments: argparse.Namespace, out: Output) -> int:
    return _participants(arguments, out, "add_participant")


@command(
    "bridge participant remove",
    "let an agent take part in a thread no more",
    "control-plane bridge participant remove --thread-id $THREAD --agent-id reviewer",
    arguments=(_THREAD, _AGENT, _ACTOR),
)
def participant_remove(arguments: argparse.Namespace, out: Output) -> int:
    return _participants(arguments, out, "remove_participant")


def _participants(arguments: argparse.Namespace, out: Output, method: str) -> int:
    from ..planes import looking

    with looking(arguments) as plane:
        change = getattr(plane.bridge, method)
        facts = change(arguments.thread_id, arguments.agent_id, operator(arguments))
    out.answer(facts, [f"{facts['thread_id']}: {', '.join(facts['participants'])}"])
    return 0


@command(
    "bridge feedback",
    "say afterwards whether blocking a thread or waking its agents was right",
    "control-plane bridge feedback --thread-id $THREAD false-positive --note 'they were nearly done'",
    arguments=(
        _THREAD,
        argument("verdict", choices=("true-positive", "false-positive", "helped", "hindered"), help="how it was"),
        argument("--note", default="", metavar="WORDS", help="kept in the signed event"),
        _ACTOR,
    ),
)
def feedback(arguments: argparse.Namespace, out: Output) -> int:
    from ..planes import looking

    with looking(arguments) as plane:
        plane.bridge.feedback(arguments.thread_id, arguments.verdict, arguments.note, operator(arguments))
    facts = {"thread_id": arguments.thread_id, "feedback": arguments.verdict}
    out.answer(facts, [f"{arguments.thread_id}: {arguments.verdict}"])
    return 0


def operator(arguments: argparse.Namespace) -> "Actor":
    """Whoever may open the home may do what a coordinator may, in every workspace."""
    import getpass

    from ...bridge.rules import Actor

    name = arguments.actor
    if name is None:
        try:
            name = getpass.getuser()
        except (OSError, KeyError):
            name = "operator"
    return Actor(name, "coordinator")


def _of_thread(facts: dict[str, Any]) -> list[tuple[str, str]]:
    waiting = [f"{one['agent_id']} since {one['since']}" for one in facts["waited_for"]]
    lost = [f"{one['agent_id']} up to {one['up_to_seq']} ({one['reason']})" for one in facts.get("undeliverable", ())]
    told = [
        ("thread", f"{facts['thread_id']}  {facts['title']}"),
        ("status", f"{facts['status']}, a {facts['type']} in {facts['workspace_id']}"),
        ("participants", ", ".join(f"{a} ({facts['cursors'].get(a, 0)} read)" for a in facts["participants"])),
        ("messages", str(facts["last_seq"])),
    ]
    told += [("waited for", ", ".join(waiting))] if waiting else []
    return told + ([("undeliverable", ", ".join(lost))] if lost else [])


def _messages(facts: dict[str, Any]) -> list[str]:
    rows = [
        (str(m["seq"]), m["created_at"], m["sender_agent_id"], m["kind"], _line(m["body"])) for m in facts["messages"]
    ]
    return [*table(("seq", "at", "from", "kind", "said"), rows, right=(0,)), ""] if rows else []


def _jobs(found: list[dict[str, Any]]) -> list[str]:
    rows = [
        (job["id"], job["target"], job["status"], str(job["attempt"]), job["step"] or "", job["result"], job["why"])
        for job in found
    ]
    heads = ("wake", "target", "status", "attempt", "way", "result", "why")
    return table(heads, rows, right=(3,)) if rows else []


def _line(body: str) -> str:
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in body).split())
    return line if len(line) <= 80 else f"{line[:79]}…"

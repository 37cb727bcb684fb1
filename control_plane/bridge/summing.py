"""What a thread comes to: who takes part, what is open, what was decided."""

from collections import Counter
from typing import Any

from .auditing import iso
from .events import MessagePosted
from .state import Thread, event_type, finding_of
from .terms import PROGRESS, VERDICTS, Kind


def summary(thread: Thread, messages: list[MessagePosted]) -> dict[str, Any]:
    """From the newest messages; findings are open however long ago they were reported."""
    counts = Counter(said.actor for said in messages if said.kind is not Kind.SYSTEM)
    spoken = ", ".join(f"{agent} ({count})" for agent, count in counts.most_common()) or "nobody"
    decisions = [_decision(said) for said in messages if event_type(said) in PROGRESS | VERDICTS]
    last = messages[-1] if messages else None
    words = [
        f"{thread.title}: a {thread.kind}, {thread.status}, {thread.last_seq} messages.",
        f"Of the last {len(messages)}: {spoken}.",
        f"{len(thread.open_findings)} findings are open, {len(decisions)} decisions were taken.",
    ]
    if last is not None:
        words.append(f"Last, {last.actor} at {iso(last.at)}: {_short(last.body)}")
    return {
        "summary": " ".join(words),
        "open_items": open_items(thread, messages),
        "decisions": decisions,
        "participants": list(thread.participants),
        "last_status": str(thread.status),
        "waited_for": waited_for(thread),
    }


def open_items(thread: Thread, messages: list[MessagePosted]) -> list[dict[str, Any]]:
    bodies = {said.seq: said for said in messages}
    found = []
    for name, seq in sorted(thread.open_findings.items(), key=lambda pair: pair[1]):
        said = bodies.get(seq)
        found.append({"finding_id": name, "seq": seq} | ({"body": _short(said.body), "by": said.actor} if said else {}))
    return found


def waited_for(thread: Thread) -> list[dict[str, Any]]:
    """Who has not read what he was asked to read, the one who has been waited for longest first."""
    waiting = [(thread.since[agent], agent) for agent in thread.since if thread.unread(agent)]
    return [
        {
            "agent_id": agent, "since": iso(since), "up_to_seq": thread.wanted[agent],
            "being_woken": thread.job_for(agent) is not None, "undeliverable": agent in thread.undeliverable,
        }
        for since, agent in sorted(waiting)
    ]  # fmt: skip


def _decision(said: MessagePosted) -> dict[str, Any]:
    return {
        "decision": event_type(said), "finding_id": finding_of(said), "by": said.actor, "seq": said.seq,
        "body": _short(said.body),
    }  # fmt: skip


def _short(body: str) -> str:
    line = " ".join(body.split())
    return line if len(line) <= 200 else f"{line[:199]}…"

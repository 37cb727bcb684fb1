"""`evidence` signs and records what proofs wrote, checks it, and shows which part of the plan may go on."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BadInput
from ..command import argument, command
from ..printing import Output, table

if TYPE_CHECKING:
    from ...evidence import Verdict
    from ...governance.milestone_service import Row
    from ...governance.milestones import MilestoneState
    from ...ledger.notes import Verifier

_FILES = argument("files", metavar="FILE", nargs="+", help="evidence, or a folder of it as `.opencode/metrics`")


@command(
    "evidence verify",
    "check evidence: its template, its figures, its artifacts and its signature",
    "control-plane evidence verify .opencode/metrics",
    arguments=[
        _FILES,
        argument("--key", metavar="KEY_OR_FILE", action="append", help="the key to believe instead of the home's"),
        argument("--unsigned", action="store_true", help="ask for no signature"),
    ],
)
def verify_files(arguments: argparse.Namespace, out: Output) -> int:
    from ...evidence import verify

    keys = _keys(arguments)
    verdicts = [verify(path, keys) for path in _files(arguments.files)]
    good = [verdict.ok or (arguments.unsigned and verdict.reason == "unsigned") for verdict in verdicts]
    facts = [_facts(verdict) | {"ok": ok} for verdict, ok in zip(verdicts, good, strict=True)]
    rows = [
        ("ok" if ok else "FAIL", verdict.reason, _item(verdict), _result(verdict), verdict.path.name, verdict.why)
        for verdict, ok in zip(verdicts, good, strict=True)
    ]
    out.answer(facts, table(("", "reason", "item", "result", "file", "why"), rows))
    return 0 if all(good) else 1


@command(
    "evidence record",
    "sign evidence with the ledger's key and record it; red P0 evidence rolls its item back",
    "control-plane evidence record .opencode/metrics",
    arguments=[_FILES],
)
def record(arguments: argparse.Namespace, out: Output) -> int:
    from ...evidence import check
    from ...plane import ControlPlane

    told: list[dict[str, Any]] = []
    with ControlPlane.open(arguments.home, state_dir=arguments.state_dir, background=False) as plane:
        for path in sorted(_files(arguments.files), key=lambda path: check(path).at):
            known = plane.evidence.record(path)
            told.append({"item": check(path).item, "result": known.result, "file": known.file, "digest": known.digest})
        for event in plane.milestones.react():
            out.say(f"{event.TOPIC}: {getattr(event, 'item', None) or getattr(event, 'name', None) or ''}".rstrip(": "))
        frozen = plane.milestones.frozen()
    rows = [(row["item"], row["result"], row["digest"][:12], row["file"]) for row in told]
    out.answer({"recorded": told, "frozen": list(frozen)}, table(("item", "result", "digest", "file"), rows))
    return 0


@command(
    "evidence list",
    "every item of the plan: its evidence, how old, whether signed and recorded, what it holds up",
    "control-plane evidence list",
    arguments=[
        argument("--metrics", metavar="FOLDER", default=".opencode/metrics", help="where proofs write"),
    ],
)
def evidence_list(arguments: argparse.Namespace, out: Output) -> int:
    from ...clock import Clock
    from ...evidence.shelf import on_shelf
    from ...governance.milestone_service import rows
    from ...governance.milestones import frozen, may_go_strict

    now = Clock().now()
    recorded = _recorded(arguments)
    newest = on_shelf(Path(arguments.metrics), _keys(arguments))
    seen = _seen(newest, recorded)
    held = frozen(recorded)
    items = [
        _listed(row, newest.get(row.item), recorded, seen)
        | {"frozen": row.milestone in held, "may_go_strict": may_go_strict(recorded, row.item, now).allowed}
        for row in rows(seen, now)
    ]
    out.answer({"items": items, "frozen": list(held)}, _lines(items, held))
    return 0


def _listed(
    row: "Row", verdict: "Verdict | None", recorded: "MilestoneState", seen: "MilestoneState"
) -> dict[str, Any]:
    from ...governance.milestones import FRESH_S

    newest, known = seen.evidence.get(row.item), recorded.evidence.get(row.item)
    in_log = known is not None and known == newest
    return {
        "item": row.item,
        "result": "missing" if newest is None else newest.result,
        "age_s": None if row.age_s is None else round(row.age_s, 1),
        "fresh": None if row.age_s is None else row.age_s <= FRESH_S,
        # Only what is signed is recorded.
        "signed": in_log or (verdict is not None and verdict.ok),
        "recorded": in_log,
        "milestone": row.milestone,
        "priority": row.priority,
        "switch": row.switch,
        "digest": row.digest,
    }


def _lines(items: list[dict[str, Any]], held: tuple[str, ...]) -> list[str]:
    def told(value: bool | None) -> str:
        return "–" if value is None else "yes" if value else "no"

    rows = [
        (
            f"{row['milestone']} {row['priority']}".strip(),
            row["item"],
            row["result"],
            "–" if row["age_s"] is None else _age(row["age_s"]),
            told(row["fresh"]),
            told(row["signed"] if row["digest"] else None),
            told(row["recorded"] if row["digest"] else None),
            "frozen" if row["frozen"] else told(row["may_go_strict"]),
            row["switch"],
        )
        for row in items
    ]
    heads = ("milestone", "item", "result", "age", "fresh?", "signed?", "recorded?", "strict?", "switch")
    lines = table(heads, rows, right=(3,))
    if held:
        lines += ["", f"frozen until P0 is green again: {', '.join(held)}"]
    return lines


def _age(seconds: float) -> str:
    for unit, length in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0.0):.0f} s"


def _files(named: list[str]) -> Iterator[Path]:
    from ...evidence import is_evidence

    for name in named:
        path = Path(name)
        found = sorted(filter(is_evidence, path.iterdir())) if path.is_dir() else [path]
        if not found:
            raise BadInput(f"{name} holds no evidence", cure="run a proof under scripts/ first")
        yield from found


def _keys(arguments: argparse.Namespace) -> "list[Verifier]":
    from ..homes import named_home, reading

    given = getattr(arguments, "key", None)
    if given:
        return [_read_key(text) for text in given]
    if not named_home(arguments).exists():
        return []
    with reading(arguments) as opened:
        return opened.keyring().current()


def _read_key(named: str) -> "Verifier":
    from ...ledger.notes import MalformedNote, Verifier

    path = Path(named)
    try:
        return Verifier.parse(path.read_text(encoding="ascii") if path.is_file() else named)
    except (MalformedNote, OSError, UnicodeDecodeError):
        raise BadInput(
            f"{named!r} is neither a verifier key nor a file with one", why="it reads name+hash+base64"
        ) from None


def _recorded(arguments: argparse.Namespace) -> "MilestoneState":
    """What the ledger knows; nothing where there is no ledger yet, which this command does not make."""
    from ...governance.milestone_service import MILESTONE
    from ...governance.milestones import MilestoneState
    from ...plane import ControlPlane
    from ..homes import named_home

    if not named_home(arguments).exists():
        return MilestoneState()
    with ControlPlane.open(arguments.home, state_dir=arguments.state_dir, background=False) as plane:
        return plane.folder.state(MILESTONE)


def _seen(newest: "dict[str, Verdict]", recorded: "MilestoneState") -> "MilestoneState":
    """Files and ledger together: of each item whatever was measured last."""
    from ...governance.milestones import MilestoneState, Seen

    seen = dict(recorded.evidence)
    for item, verdict in newest.items():
        if verdict.evidence is not None and (item not in seen or seen[item].measured_at < verdict.evidence.at):
            seen[item] = Seen("green" if verdict.evidence.green else "red", verdict.evidence.at, verdict.digest)
    return MilestoneState(evidence=seen, regressed=dict(recorded.regressed))


def _facts(verdict: "Verdict") -> dict[str, Any]:
    return {
        "file": str(verdict.path),
        "reason": verdict.reason,
        "why": verdict.why,
        "item": _item(verdict),
        "result": _result(verdict),
        "digest": verdict.digest,
        "key": verdict.key,
    }


def _item(verdict: "Verdict") -> str:
    return verdict.evidence.item if verdict.evidence is not None else "–"


def _result(verdict: "Verdict") -> str:
    return "–" if verdict.evidence is None else "green" if verdict.evidence.green else "red"

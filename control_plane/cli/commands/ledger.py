"""`ledger …`: what the log says of itself, proofs, exports, the witness, the archive."""

import argparse
from typing import TYPE_CHECKING, Any

from ...errors import BadInput, ControlPlaneError
from ..command import argument, command
from ..faults import CHECK_FAILED, warn
from ..printing import Output, paint, pairs, table

if TYPE_CHECKING:
    from ...ledger.opening import Opened


@command(
    "ledger verify",
    "check every event, the tree and every signature; name the first event that is not as signed",
    "control-plane ledger verify",
    "control-plane ledger verify --json --workers 2",
    arguments=[argument("--workers", type=int, default=1, metavar="N", help="processes that share the work")],
)
def verify(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ...ledger import audit
    from ..homes import named_home, reading, recovered

    if arguments.workers < 1:
        raise BadInput(f"--workers is {arguments.workers}", cure="name 1 or more")
    home = named_home(arguments)
    home.identity()
    try:
        with reading(arguments) as opened:
            recovered(opened, out)
    except ControlPlaneError as fault:
        # What keeps a ledger from being opened is the verdict's business.
        warn("the ledger cannot be opened", fault, out)
    verdict = audit.verify(home, workers=arguments.workers, on_progress=out.started("verified", "events"))
    out.answer(msgspec.to_builtins(verdict), _verdict_lines(verdict))
    return 0 if verdict.ok else CHECK_FAILED


def _verdict_lines(verdict: Any) -> list[str]:
    if verdict.ok:
        sign, said = paint("ok", "green"), f"{verdict.events:,} events, all as signed"
    else:
        place = f" at position {verdict.first_bad:,}" if verdict.first_bad is not None else ""
        sign, said = paint("NOT OK", "red"), f"{verdict.reason}{place}"
    rows = [("position", f"{verdict.position:,}"), ("root", verdict.root)]
    rows += [("detail", verdict.detail)] if verdict.detail else []
    return [f"{sign}  {said}", *pairs(rows)]


@command("ledger head", "print the position and the root of the log", "control-plane ledger head")
def head(arguments: argparse.Namespace, out: Output) -> int:
    from ...ledger.notes import Note
    from ..homes import reading, recovered

    with reading(arguments) as opened:
        recovered(opened, out)
        code = checked(opened, out)
        origin, size, root = Note.parse(_note(opened)).checkpoint().text().splitlines()
        facts = {"ledger": opened.identity.ledger, "origin": origin, "position": int(size), "root": root}
    out.answer(facts, pairs([("position", f"{int(size):,}"), ("root", root), ("origin", origin)]))
    return code


@command(
    "ledger checkpoint",
    "print the signed note of the head (C2SP tlog-checkpoint)",
    "control-plane ledger checkpoint",
)
def checkpoint(arguments: argparse.Namespace, out: Output) -> int:
    from ...ledger.notes import Note
    from ..homes import reading, recovered

    with reading(arguments) as opened:
        recovered(opened, out)
        code = checked(opened, out)
        note = _note(opened)
    if out.as_json:
        origin, size, root = Note.parse(note).checkpoint().text().splitlines()
        out.answer({"note": note, "origin": origin, "position": int(size), "root": root}, ())
    else:
        out.text(note)
    return code


@command(
    "ledger prove",
    "print a proof that an event is in the log (C2SP tlog-proof)",
    "control-plane ledger prove 1",
    arguments=[argument("position", type=int, metavar="POSITION", help="1 is the first event")],
)
def prove(arguments: argparse.Namespace, out: Output) -> int:
    from ..homes import reading

    with reading(arguments) as opened:
        size = opened.backend.size()
        if not 1 <= arguments.position <= size:
            raise BadInput(f"there is no event at position {arguments.position}", why=f"the log has 1 to {size:,}")
        from ...ledger import export

        code = checked(opened, out)
        proof = export.prove(opened, arguments.position)
    if out.as_json:
        out.answer({"position": arguments.position, "proof": proof}, ())
    else:
        out.text(proof)
    return code


@command(
    "ledger export",
    "print or write the whole log in a format that others read",
    "control-plane ledger export --format jsonl",
    "control-plane ledger export --format tiles --out tiles",
    "control-plane ledger export --format archive --out ledger.tar.gz",
    arguments=[
        argument("--format", choices=("jsonl", "tiles", "archive"), default="jsonl", help="JSON lines is the default"),
        argument("--out", metavar="PATH", help="a file; a folder for tiles; stdout without it (JSON lines only)"),
    ],
)
def export(arguments: argparse.Namespace, out: Output) -> int:
    from pathlib import Path

    from ..exporting import EXPORTS, export_jsonl
    from ..homes import reading, recovered

    if arguments.out is None and arguments.format != "jsonl":
        raise BadInput(f"--format {arguments.format} needs --out", why="it is more than a stream of lines")
    with reading(arguments) as opened:
        recovered(opened, out)
        code = checked(opened, out)
        if arguments.out is None:
            export_jsonl(opened, out.bytes, out.started("exported", "events", beside_result=True))
            return code
        path = Path(arguments.out)
        events = EXPORTS[arguments.format](opened, path, out.started("exported", "events"))
    facts = {"format": arguments.format, "out": str(path), "events": events}
    out.answer(facts, pairs([("events", f"{events:,}"), ("out", str(path))]))
    return code


@command(
    "ledger witness",
    "show what the witness saw, and whether the log still contains it",
    "control-plane ledger witness",
    "control-plane ledger witness --update",
    "control-plane ledger witness --reset --yes",
    arguments=[
        argument("--update", action="store_true", help="let it see the head, when the log contains what it saw"),
        argument("--reset", action="store_true", help="let it forget what it saw and begin again at the head"),
        argument("--yes", action="store_true", help="with --reset: what was lost stays lost"),
    ],
)
def witness(arguments: argparse.Namespace, out: Output) -> int:
    from ..homes import reading
    from ..witnessing import sighting_of

    with reading(arguments) as opened:
        if arguments.reset:
            if not arguments.yes:
                raise BadInput(
                    "--reset forgets the highest checkpoint",
                    why="a ledger that lost events will pass for whole",
                    cure="compare it with a copy that you trust, then add --yes",
                )
            opened.witness.reset(opened.identity.root, _note(opened))
        elif arguments.update:
            opened.check()
            opened.sight()
        seen = sighting_of(opened)
    facts = {"path": seen.path, "state": seen.state, "position": seen.position, "root": seen.root, "head": seen.head}
    known = f"{seen.position:,}" if seen.position is not None else "nothing yet"
    out.answer(facts, pairs([("witness", seen.path), ("saw", known), ("log", f"{seen.head:,}"), ("state", seen.state)]))
    if opened.witness.fault:
        out.say(f"the witness could not be written: {opened.witness.fault}")
        return CHECK_FAILED
    return warn("the witness", seen.fault, out) if seen.fault is not None else 0


@command(
    "ledger journal",
    "list the journals: what running or dead writers have not committed yet",
    "control-plane ledger journal",
)
def journal(arguments: argparse.Namespace, out: Output) -> int:
    from ..homes import reading
    from ..witnessing import journals_of

    with reading(arguments) as opened:
        found = journals_of(opened)
    facts = [entry._asdict() for entry in found]
    rows = [(e.writer, "running" if e.running else "gone", f"{e.waiting:,}", f"{e.damaged:,}") for e in found]
    lines = table(("writer", "state", "waiting", "damaged"), rows, right=(2, 3)) if rows else ["no journals"]
    out.answer({"journals": facts}, lines)
    return 0


def checked(opened: "Opened", out: Output) -> int:
    """Whether the head is signed and continues what the witness saw; the result is given either way."""
    try:
        opened.check()
    except ControlPlaneError as fault:
        return warn("do not rely on this", fault, out)
    return 0


def _note(opened: "Opened") -> str:
    with opened.backend.tree() as tree:
        note = tree.last_note()
    if note is None:
        raise BadInput("the log is empty", why="it has no checkpoint", cure="run `control-plane ledger verify`")
    return note

"""`ledger key`, and the commands by which keys come and go."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import BadInput
from ..command import argument, command
from ..printing import Output, pairs, table

if TYPE_CHECKING:
    from ...ledger.key_changes import Changed
    from ...ledger.keyring import Keyring
    from ...ledger.notes import Verifier
    from ...ledger.opening import Opened

_REASON = argument("--reason", metavar="WORDS", help="kept in the signed event")
_YES = argument("--yes", action="store_true", help="do it, knowing what follows")


@command(
    "ledger key",
    "print the verifier keys (name+hash+base64) that may sign now",
    "control-plane ledger key",
    "control-plane ledger key --all --json",
    "control-plane ledger key --own",
    arguments=[
        argument("--all", action="store_true", help="retired keys too, each with its term"),
        argument("--own", action="store_true", help="this host's own, admitted or not: what `key admit` takes"),
    ],
)
def key(arguments: argparse.Namespace, out: Output) -> int:
    from ..homes import reading

    if arguments.own:
        return _own(arguments, out)
    with reading(arguments) as opened:
        keyring = opened.keyring()
    terms = [
        {"key": str(verifier), "since": term.since, "until": term.until} for verifier, term in keyring.terms().items()
    ]
    facts: dict[str, Any] = {
        "origin": keyring.origin,
        "keys": [str(verifier) for verifier in keyring.current()],
        "terms": terms,
        "recovery_key": str(keyring.recovery),
    }
    if arguments.all:
        rows = [(str(t["since"]), "now" if t["until"] is None else str(t["until"]), str(t["key"])) for t in terms]
        rows.append(("", "", f"{keyring.recovery}  (recovery)"))
        out.answer(facts, table(("from", "to", "key"), rows, right=(0, 1), whole=True))
    else:
        out.answer(facts, facts["keys"])
    if not keyring.current():
        out.say("no key is in use; only the recovery key can admit one: `control-plane ledger recover-key`")
    return 0


def _own(arguments: argparse.Namespace, out: Output) -> int:
    from ..homes import reading

    with reading(arguments) as opened:
        authority = opened.authority()
    own = authority.signer.verifier
    out.answer({"key": str(own), "may_sign": own in authority.keyring.current()}, [str(own)])
    return 0


@command(
    "ledger key admit",
    "let another host's key sign from here on; there, `ledger key --own` prints it",
    "control-plane ledger key admit other-host.pub",
    arguments=[argument("key", metavar="FILE_OR_KEY", help="its verifier key, or a file with it"), _REASON],
)
def admit(arguments: argparse.Namespace, out: Output) -> int:
    from ...ledger import key_changes
    from ..homes import reading

    verifier = _read_key(arguments.key)
    with reading(arguments) as opened:
        opened.check()
        changed = key_changes.admit(opened, verifier, arguments.reason or "admitted")
        return _told(opened, changed, out)


@command(
    "ledger rotate-key",
    "give this host a fresh signing key; the old one retires",
    "control-plane ledger rotate-key --reason yearly",
    arguments=[_REASON],
)
def rotate(arguments: argparse.Namespace, out: Output) -> int:
    from ...ledger import key_changes
    from ..homes import reading

    with reading(arguments) as opened:
        opened.check()
        return _told(opened, key_changes.rotate(opened, arguments.reason or "rotated"), out)


@command(
    "ledger revoke-key",
    "let a key count no more from here on",
    "control-plane ledger revoke-key other-host.pub --reason stolen",
    arguments=[
        argument("key", metavar="KEY", help="the verifier key, its eight-digit hash, or a file with it"),
        argument("--recovery-key", metavar="FILE", help="with the authority of the offline key"),
        _REASON,
        _YES,
    ],
)
def revoke(arguments: argparse.Namespace, out: Output) -> int:
    from ...ledger import key_changes
    from ..homes import reading

    with reading(arguments) as opened:
        opened.check()
        keyring = opened.keyring()
        named = _named(arguments.key, keyring)
        if keyring.current() == [named] and not arguments.yes:
            raise BadInput(
                "this is the only key in use",
                why="without it only the recovery key can admit another",
                cure="run `control-plane ledger rotate-key` instead, or add --yes",
            )
        recovery = Path(arguments.recovery_key) if arguments.recovery_key else None
        changed = key_changes.revoke(opened, named, arguments.reason or "revoked", recovery_key=recovery)
        return _told(opened, changed, out)


@command(
    "ledger recover-key",
    "after key loss: let the offline recovery key admit a fresh signing key",
    "control-plane ledger recover-key --recovery-key recovery.key",
    arguments=[
        argument("--recovery-key", metavar="FILE", required=True, help="the file that `init` made"),
        argument("--lost", metavar="KEY", help="which key was lost, where several are in use"),
        _REASON,
    ],
)
def recover(arguments: argparse.Namespace, out: Output) -> int:
    from ...ledger import key_changes
    from ..homes import reading

    with reading(arguments) as opened:
        opened.check()
        lost = _named(arguments.lost, opened.keyring()) if arguments.lost else None
        changed = key_changes.recover(
            opened, Path(arguments.recovery_key), lost=lost, reason=arguments.reason or "recovered"
        )
        return _told(opened, changed, out)


def _told(opened: "Opened", changed: "Changed", out: Output) -> int:
    opened.sight()
    admitted = str(changed.admitted) if changed.admitted else None
    retired = [str(verifier) for verifier in changed.retired]
    facts = {"position": changed.position, "admitted": admitted, "retired": retired}
    lines = [("position", f"{changed.position:,}")]
    lines += [("admitted", admitted)] if admitted else []
    lines += [("retired", verifier) for verifier in retired]
    out.answer(facts, pairs(lines))
    return 0


def _named(text: str, keyring: "Keyring") -> "Verifier":
    """A key by its text, its file or its short hash."""
    short = [verifier for verifier in keyring.terms() if verifier.hint.hex() == text.lower()]
    return short[0] if len(short) == 1 else _read_key(text)


def _read_key(named: str) -> "Verifier":
    from ...ledger.notes import MalformedNote, Verifier

    try:
        return Verifier.parse(_text_of(named))
    except MalformedNote as fault:
        raise BadInput(fault.what, why=fault.why, cure="a verifier key reads name+hash+base64") from None


def _text_of(named: str) -> str:
    """What the file of that name holds, else the key itself when it reads like one."""
    try:
        with Path(named).open(encoding="ascii") as file:
            return file.read(4096)
    except (OSError, ValueError) as fault:
        if named.count("+") >= 2:
            return named
        why = fault.strerror if isinstance(fault, OSError) and fault.strerror else "it holds no text"
        raise BadInput(f"{named!r} is neither a verifier key nor a file with one", why=why) from None

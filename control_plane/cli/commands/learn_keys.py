"""`learn key` admits and revokes agents' keys; `learn sign` is what an agent does with its own."""

import argparse
import os
import stat
from typing import TYPE_CHECKING, Any

from ...errors import BadInput
from ..command import argument, command
from ..printing import Output, pairs, table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME = argument("name", metavar="NAME", help="what the key is called here")


@command(
    "learn key add",
    "let an agent's Ed25519 key sign learning records",
    "control-plane learn key add reviewer agent.pub",
    arguments=(_NAME, argument("file", metavar="PUBLIC_KEY_FILE", help="PEM, OpenSSH, verifier key, base64 or hex")),
)
def add(arguments: argparse.Namespace, out: Output) -> int:
    from ...learning.keys import key_id, read_public
    from ..files import content_of
    from ..planes import deciding

    public = read_public(content_of(arguments.file))
    with deciding(arguments) as plane:
        agent = plane.learning.admit(arguments.name, public)
    facts = {"name": agent.name, "key_id": key_id(public), "public": agent.public}
    out.answer(facts, pairs([("admitted", agent.name), ("key id", facts["key_id"])]))
    return 0


@command("learn key list", "the agents' keys, those that were revoked too", "control-plane learn key list")
def show(arguments: argparse.Namespace, out: Output) -> int:
    from ..planes import looking

    with looking(arguments) as plane:
        keys = plane.learning.keys()
    facts = [
        {
            "name": agent.name,
            "key_id": key_id,
            "public": agent.public,
            "since": agent.since,
            "revoked": agent.revoked,
        }
        for key_id, agent in keys.items()
    ]
    rows = [(agent.name, "in use" if agent.revoked is None else "revoked", key_id) for key_id, agent in keys.items()]
    out.answer(facts, table(("name", "state", "key id"), rows, whole=True) if rows else ["no agent's key is admitted"])
    return 0


@command(
    "learn key revoke",
    "let in nothing more that this key signed",
    "control-plane learn key revoke reviewer",
    arguments=(_NAME, argument("--reason", metavar="WORDS", default="revoked", help="kept in the signed event")),
)
def revoke(arguments: argparse.Namespace, out: Output) -> int:
    from ..planes import looking

    with looking(arguments) as plane:
        plane.learning.revoke(arguments.name, arguments.reason)
    out.answer({"revoked": arguments.name}, [f"{arguments.name} is revoked"])
    return 0


@command(
    "learn key make",
    "make an agent's key: FILE holds the secret, FILE.pub the public key",
    "control-plane learn key make another.key",
    arguments=(argument("file", metavar="FILE", help="a new file, readable by its owner alone"),),
)
def make(arguments: argparse.Namespace, out: Output) -> int:
    from pathlib import Path

    from ...learning.keys import key_id
    from ...ledger.keys import create_key

    path, public = Path(arguments.file), Path(f"{arguments.file}.pub")
    if public.exists():
        raise BadInput(f"{public} exists", cure="name another file")
    try:
        verifier = create_key(path, "agent").verifier
        public.write_text(f"{verifier}\n", encoding="ascii")
    except OSError as fault:
        raise BadInput(f"{path} cannot be written", why=os.strerror(fault.errno or 0)) from None
    facts = {"key": str(path), "public": str(public), "key_id": key_id(verifier.public)}
    out.answer(facts, pairs([("secret", str(path)), ("public", str(public)), ("key id", facts["key_id"])]))
    return 0


@command(
    "learn sign",
    "make signed records of JSON predicates, one line each",
    "control-plane learn sign --key agent.key predicate.json",
    arguments=(
        argument("file", metavar="FILE", nargs="?", default="-", help="the predicates (default: standard input)"),
        argument("--key", metavar="FILE", required=True, help="the agent's private key"),
    ),
)
def sign(arguments: argparse.Namespace, out: Output) -> int:
    from pathlib import Path

    from ...clock import Clock
    from ...learning.keys import read_private
    from ...learning.signing import sign as signed
    from ..files import content_of

    key = read_private(content_of(arguments.key))
    _warn_if_open(Path(arguments.key), out)
    now = Clock().now()
    for predicate in _predicates(content_of(arguments.file)):
        out.bytes(signed({"ts": now, **predicate}, key) + b"\n")
    return 0


def _predicates(content: bytes) -> "Iterator[dict[str, Any]]":
    """One object over several lines, or one on each."""
    import json

    from ..files import filled_lines

    try:
        whole = json.loads(content)
        found = whole if isinstance(whole, list) else [whole]
    except (ValueError, RecursionError):
        try:
            found = [json.loads(line) for line in filled_lines(content)]
        except (ValueError, RecursionError) as fault:
            raise BadInput("a predicate cannot be read", why=str(fault), cure="give JSON objects") from None
    if not found or not all(isinstance(one, dict) for one in found):
        raise BadInput("a predicate is a JSON object")
    return iter(found)


def _warn_if_open(path: "Path", out: Output) -> None:
    if os.name == "posix" and str(path) != "-" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        out.say(f"note: others can read {path}; chmod 600 {path}")

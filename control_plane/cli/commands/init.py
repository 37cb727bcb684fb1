"""`init` makes a home, and the catalogue of arms beside the project where there is none yet."""

import argparse
from pathlib import Path
from typing import Any

from ..command import command
from ..printing import Output, paint, pairs


@command(
    "init",
    "make a home (the ledger, its keys, its witness) and control-plane.toml with the arms that opencode.json names",
    "control-plane init",
)
def init(arguments: argparse.Namespace, out: Output) -> int:
    from ...clock import Clock
    from ...ledger.opening import create_home
    from ..homes import CATALOGUE, named_home, reading

    home = named_home(arguments)
    made = not home.exists()
    create_home(home, CATALOGUE, Clock())
    with reading(arguments) as opened:
        opened.check()
        opened.sight()
        authority = opened.authority()
        own = authority.signer.verifier
        facts: dict[str, Any] = {
            "home": str(home.root),
            "made": made,
            "ledger": opened.identity.ledger,
            "origin": opened.identity.origin,
            "database": home.address.label if home.address else str(home.database),
            "key": str(home.key),
            "verifier_key": str(own),
            "may_sign": own in authority.keyring.current(),
            "recovery_key": str(home.recovery_key),
            "recovery_key_is_here": home.recovery_key.exists(),
            "witness": str(opened.witness.path),
            "position": opened.backend.size(),
            **_catalogue(Path.cwd()),
        }
    out.answer(facts, _lines(facts, home.recovery_key))
    if opened.witness.fault:
        out.say(f"the witness could not be written: {opened.witness.fault}")
    return 0


def _catalogue(folder: Path) -> dict[str, Any]:
    """The arms of this project: as somebody wrote them down, else as OpenCode has them, else an example."""
    from ...router.catalogue import EXAMPLES, FILE, arms_of_opencode, as_toml, opencode_file

    path = folder / FILE
    if path.exists():
        return {"catalogue": str(path), "arms_from": "there already"}
    source = opencode_file(folder)
    arms = arms_of_opencode(source) if source is not None else ()
    with path.open("x", encoding="utf-8") as file:
        file.write(as_toml(arms or EXAMPLES, example=not arms))
    return {"catalogue": str(path), "arms_from": f"made from {source.name}" if source and arms else "an example"}


def _lines(facts: dict[str, Any], recovery_key: Path) -> list[str]:
    rows = [
        ("home", f"{facts['home']}  ({'made' if facts['made'] else 'was there already'})"),
        ("ledger", facts["database"]),
        ("key", f"{facts['key']}  signs what this host commits, stays here, mode 0600"),
        ("witness", f"{facts['witness']}  remembers the highest checkpoint"),
        ("catalogue", f"{facts['catalogue']}  ({facts['arms_from']})"),
    ]
    if not facts["may_sign"]:
        admission = f"control-plane ledger key admit {facts['verifier_key']}"
        return [*pairs(rows), "This host's key may not sign yet; on a host that may, run:", f"  {admission}"]
    if not facts["recovery_key_is_here"]:
        return pairs(rows)
    advice = "Move the recovery key to a safe place offline now: it alone can replace a lost signing key."
    return [*pairs([*rows, ("recovery", str(recovery_key))]), paint(advice, "bold")]

"""`init` makes a home."""

import argparse
from pathlib import Path
from typing import Any

from ..command import command
from ..printing import Output, paint, pairs


@command("init", "make a home: the ledger, its keys, its witness", "control-plane init")
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
        }
    out.answer(facts, _lines(facts, home.recovery_key))
    if opened.witness.fault:
        out.say(f"the witness could not be written: {opened.witness.fault}")
    return 0


def _lines(facts: dict[str, Any], recovery_key: Path) -> list[str]:
    rows = [
        ("home", f"{facts['home']}  ({'made' if facts['made'] else 'was there already'})"),
        ("ledger", facts["database"]),
        ("key", f"{facts['key']}  signs what this host commits, stays here, mode 0600"),
        ("witness", f"{facts['witness']}  remembers the highest checkpoint"),
    ]
    if not facts["may_sign"]:
        admission = f"control-plane ledger key admit {facts['verifier_key']}"
        return [*pairs(rows), "This host's key may not sign yet; on a host that may, run:", f"  {admission}"]
    if not facts["recovery_key_is_here"]:
        return pairs(rows)
    advice = "Move the recovery key to a safe place offline now: it alone can replace a lost signing key."
    return [*pairs([*rows, ("recovery", str(recovery_key))]), paint(advice, "bold")]

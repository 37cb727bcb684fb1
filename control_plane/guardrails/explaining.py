"""One recorded decision, told whole, and decided again."""

from typing import Any

import msgspec

from . import events as e
from .errors import NoSuchHit
from .replaying import bytes_of, cases, read
from .service import Guard

LAST = "last"


def newest(guard: Guard) -> str:
    """The decision that was recorded last."""
    found = ""
    for _, event in read(guard.ledger):
        if isinstance(event, e.Decided):
            found = event.decision
    return found


def resolve(guard: Guard, named: str) -> str:
    guard.ledger.flush()
    return newest(guard) if named == LAST else named


def explain(guard: Guard, named: str) -> dict[str, Any]:
    decision = resolve(guard, named)
    for position, case in cases(guard.ledger):
        event = case.event
        if event.decision != decision:
            continue
        hits = [
            {**msgspec.to_builtins(hit), "mode": hit.mode, "note": _note(hit), "path": hit.path} for hit in event.hits
        ]
        return {
            "decision": decision, "position": position, "session": event.seen.session, "tool": event.seen.tool,
            "live": str(event.live), "would": str(event.would), "skip": event.skip, "rules": event.rules,
            "files": [target.path for target in event.seen.targets], "hits": hits,
            "same": bytes_of(case.decided()) == bytes_of(event),
        }  # fmt: skip
    raise NoSuchHit(f"no decision {named} is in the log", cure="see `control-plane guard report labels`")


def _note(hit: e.Hit) -> str:
    told = [f" ({hit.why})" if hit.why else "", f", passed over: {hit.skip}" if hit.skip else ""]
    return "".join(told)

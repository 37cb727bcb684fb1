"""An act is an event under its maker's own signature, so that its authority can be shown apart from the ledger."""

from hashlib import sha256
from typing import Any, TypeVar

import msgspec

from ..errors import BadSignature
from ..ledger.dsse import open_envelope, seal, statement
from ..ledger.events import Event
from ..ledger.notes import Signer, Verifier
from .events import PolicyAdvanced, PolicyPaused, PolicyProposed, PolicyRolledBack
from .flag_events import FlagFlipped

ACT = "https://control-plane.dev/policy-act/v1"
ACTS: tuple[type[Event], ...] = (PolicyProposed, PolicyAdvanced, PolicyRolledBack, PolicyPaused, FlagFlipped)
E = TypeVar("E", bound=Event)


def signed(event: E, ledger: str, signer: Signer) -> E:
    """The event with the signature of who makes it; what is no act stays as it is."""
    if not isinstance(event, ACTS):
        return event
    return msgspec.structs.replace(event, envelope=seal(_statement(event, ledger), signer).decode())


def check_act(event: Event, ledger: str, verifiers: list[Verifier]) -> None:
    """Raise unless one of these keys signed exactly this act for this ledger."""
    envelope: str = getattr(event, "envelope", "")
    if open_envelope(envelope.encode(), verifiers) != _statement(event, ledger):
        raise BadSignature(f"what was signed is not this {event.TOPIC}")


def _statement(event: Event, ledger: str) -> bytes:
    fact: dict[str, Any] = msgspec.to_builtins(event)
    del fact["envelope"]
    digest = sha256(msgspec.json.encode(fact, order="sorted")).hexdigest()
    return statement(ACT, {"ledger": ledger, "topic": event.TOPIC, "fact": fact}, {event.TOPIC: digest})

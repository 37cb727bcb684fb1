"""What the log can show of every step: who signed it, and which artifacts carried it."""

from collections.abc import Iterable

import msgspec

from ..errors import ControlPlaneError
from ..ledger.events import Event
from ..ledger.keyring import Keyring
from . import rules
from .acts import ACTS, check_act
from .artifacts import digest_of
from .events import ArtifactRecorded, PolicyAdvanced
from .flag_events import FlagFlipped


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """`linked` counts what stands on an artifact that the log holds, `waived` what passed a gate that was off."""

    acts: int
    advances: int
    linked: int
    waived: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


def audit(events: Iterable[Event], keyring: Keyring) -> Audit:
    """Read the log from its beginning: each act signed by its maker, each advance linked to what allowed it."""
    keys, held = list(keyring.terms()), set[str]()
    acts = advances = linked = waived = 0
    problems: list[str] = []
    for event in events:
        if isinstance(event, ArtifactRecorded):
            held.add(event.digest)
            if digest_of(event.envelope.encode()) != event.digest:
                problems.append(f"an artifact of {event.policy} is not what its digest says")
        # What the control plane flips by its own rules has no other signature than the ledger's.
        if isinstance(event, ACTS) and not (isinstance(event, FlagFlipped) and not event.envelope):
            acts += 1
            try:
                check_act(event, keyring.origin, keys)
            except ControlPlaneError as fault:
                problems.append(f"{event.TOPIC} at {event.at:.0f}: {fault}")
        if isinstance(event, PolicyAdvanced):
            advances += 1
            waived += bool(event.waived)
            missing = _missing(event, held)
            linked += not missing and not event.waived
            problems += [f"{event.policy} went to {event.after} without its {kind}" for kind in missing]
    return Audit(acts=acts, advances=advances, linked=linked, waived=waived, problems=tuple(problems))


def _missing(event: PolicyAdvanced, held: set[str]) -> list[str]:
    asked = (kind for kind in rules.GATES[event.after] if kind not in event.waived)
    return [kind for kind in asked if getattr(event, kind) not in held]

"""Whose records are let in, and which: state, line, mode and now go in, an event or a coded reason comes out."""

import base64
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ..errors import BadInput
from ..flags.declared import SigningMode
from ..ledger.dsse import PAYLOAD_TYPE, pae
from ..ledger.events import Event
from .envelope import Sealed, as_bytes, read
from .events import (
    AdviceInvalidated,
    AgentKeyAdmitted,
    AgentKeyRevoked,
    GamingSuspected,
    PatternPinned,
    RecordAccepted,
    RecordsRejected,
    SigningModeChanged,
)
from .keys import NAME, key_id
from .patterns import ANTI_PATTERNS, POSITIVE_PATTERNS
from .reasons import Reason
from .record import Record
from .record import read as read_record
from .replay import Seen, within
from .state import LearningState

# From the weakest to the strictest: what one lets in, those before it let in too.
MODES: tuple[SigningMode, ...] = ("off", "allow-unsigned", "require-signed", "require-valid-signature")
# Rejections are written together, at most so often while nothing else is.
REJECTIONS_EVERY = 10.0
_DIGEST_BYTES = 16
# Far more than the features of one record take; a statement can also have subjects.
LONGEST_KEPT = 8192


class KeyTaken(BadInput):
    """The name or the key is admitted already, or was revoked."""

    code = "learning.key-taken"


class NoSuchKey(BadInput):
    """No key of that name was admitted."""

    code = "learning.no-such-key"


class Known(NamedTuple):
    key_id: str
    public: Ed25519PublicKey
    revoked: bool


class Checked(NamedTuple):
    """A line whose envelope and record were read; `fault` is what is wrong with its signature."""

    record: Record
    ts: float
    digest: bytes
    key_id: str
    envelope: str
    fault: Reason | None


def known_keys(state: LearningState) -> dict[str, Known]:
    """By key id, and by name where the id does not say otherwise; a later key under a name is the one that is meant."""
    found: dict[str, Known] = {}
    for key, agent in list(state.keys.items()):
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(agent.public))
        found[agent.name] = Known(key, public, agent.revoked is not None)
    for key, agent in list(state.keys.items()):
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(agent.public))
        found[key] = Known(key, public, agent.revoked is not None)
    return found


def check(line: object, keys: Mapping[str, Known], mode: SigningMode) -> Checked | Reason:
    """All that can be said of a line without knowing what came before it; a payload that must be signed is not read
    before its signature holds."""
    sealed = read(line)
    if isinstance(sealed, Reason):
        return sealed
    fault, signer = verify(sealed, keys) if mode != "off" else (Reason.UNSIGNED, "")
    strict = mode == "require-valid-signature"
    if fault is not None and (strict or (mode == "require-signed" and sealed.signature is None)):
        return fault
    found = read_record(sealed.payload, signed=sealed.signature is not None)
    if isinstance(found, Reason):
        return found
    raw = as_bytes(line) or b""
    envelope = raw.decode() if found.plain and len(raw) <= LONGEST_KEPT else ""
    return Checked(found.record, found.ts, sha256(sealed.payload).digest()[:_DIGEST_BYTES], signer, envelope, fault)


def verify(sealed: Sealed, keys: Mapping[str, Known]) -> tuple[Reason | None, str]:
    """What is wrong with a signature, and whose it is when it holds."""
    if sealed.signature is None:
        return Reason.UNSIGNED, ""
    known = keys.get(sealed.key_id)
    if known is None:
        return Reason.UNKNOWN_KEY, ""
    if known.revoked:
        return Reason.REVOKED_KEY, ""
    try:
        known.public.verify(sealed.signature, pae(PAYLOAD_TYPE, sealed.payload))
    except InvalidSignature:
        return Reason.INVALID_SIGNATURE, ""
    return None, known.key_id


def judge(state: LearningState, checked: Checked, now: float, batch: set[tuple[str, bytes]]) -> RecordAccepted | Reason:
    """Let it in, unless it is out of time or came in before; `batch` holds what this batch let in so far."""
    seen = state.seen.get(checked.key_id)
    if not within(seen, checked.ts, now):
        return Reason.EXPIRED
    if (checked.key_id, checked.digest) in batch or _came_before(state, checked):
        return Reason.REPLAYED
    batch.add((checked.key_id, checked.digest))
    record = checked.record
    return RecordAccepted(
        at=now,
        digest=checked.digest.hex(),
        ts=checked.ts,
        kind=record.kind,
        task_type=record.task_type,
        severity=record.severity,
        trace_id=record.trace_id or "",
        key_id=checked.key_id,
        verified=checked.fault is None,
        pattern=record.pattern,
        session=record.session,
        repo=record.repo,
        arm=record.arm,
        tool=record.tool,
        error_type=record.error_type,
        place=record.place,
        attempt=record.attempt,
        success=record.success,
        lines_changed=record.lines_changed,
        tokens=record.tokens,
        metric=record.metric,
        quota=record.quota,
        envelope=checked.envelope,
    )


def _came_before(state: LearningState, checked: Checked) -> bool:
    """Under its own key or under none; a record that shows no valid signature may not come again under any."""
    looked: Iterable[Seen | None] = (
        (state.seen.get(checked.key_id), state.seen.get("")) if checked.key_id else tuple(state.seen.values())
    )
    return any(seen is not None and checked.digest in seen.digests for seen in looked)


def change_mode(state: LearningState, mode: SigningMode, now: float) -> list[Event]:
    """Said aloud before the first record comes in under it; less than before is a warning."""
    if mode == state.mode:
        return []
    weakened = MODES.index(mode) < MODES.index(state.mode)
    severity = "warning" if weakened else "info"
    return [SigningModeChanged(at=now, before=state.mode, after=mode, weakened=weakened, severity=severity)]


def invalidate(accepted: list[RecordAccepted], now: float) -> list[Event]:
    """One event for what a batch touched; a record without a repo touches them all."""
    touching = [event for event in accepted if event.kind.endswith("-pattern")]
    if not touching:
        return []
    repos = {event.repo for event in touching}
    return [
        AdviceInvalidated(
            at=now,
            task_types=tuple(sorted({event.task_type for event in touching})),
            repos=() if None in repos else tuple(sorted(repo for repo in repos if repo)),
            records=len(touching),
        )
    ]


def tell_rejections(
    state: LearningState, mode: SigningMode, reasons: Mapping[str, int], now: float, *, anyway: bool
) -> list[Event]:
    """Counts, not records: however many are thrown at us, the log grows by one line now and then."""
    if not reasons or not (anyway or now - state.rejected_at >= REJECTIONS_EVERY):
        return []
    return [RecordsRejected(at=now, mode=mode, reasons=dict(sorted(reasons.items())))]


def tell_suspicions(state: LearningState, now: float) -> list[Event]:
    return [
        GamingSuspected(at=now, key_id=key, verdict=verdict, signs=signs) for key, verdict, signs in list(state.untold)
    ]


def admit(state: LearningState, name: str, public: bytes, now: float) -> list[Event]:
    """A key that is in use under this name already needs no event; one that was revoked never comes back."""
    if not NAME.match(name):
        raise BadInput(f"{name[:80]!r} cannot be a key's name", cure="letters, digits and ._@/- are fine, up to 100")
    found = state.keys.get(key_id(public))
    if found is not None and found.revoked is not None:
        raise KeyTaken(f"this key was revoked as {found.name}", cure="make a new one")
    if found is not None and found.name != name:
        raise KeyTaken(f"this key is in use as {found.name}")
    if found is not None:
        return []
    if any(agent.name == name and agent.revoked is None for agent in list(state.keys.values())):
        raise KeyTaken(f"another key is in use as {name}", cure=f"`control-plane learn key revoke {name}` first")
    return [AgentKeyAdmitted(at=now, name=name, key_id=key_id(public), public=base64.b64encode(public).decode())]


def revoke(state: LearningState, name: str, reason: str, now: float) -> list[Event]:
    for key, agent in list(state.keys.items()):
        if name in (agent.name, key) and agent.revoked is None:
            return [AgentKeyRevoked(at=now, name=agent.name, key_id=key, reason=reason)]
    raise NoSuchKey(f"no key in use is called {name[:80]!r}", cure="see `control-plane learn key list`")


def pin(state: LearningState, task_type: str, pattern: str, core: bool, actor: str, now: float) -> list[Event]:
    if pattern not in ANTI_PATTERNS and pattern not in POSITIVE_PATTERNS:
        known = ", ".join((*ANTI_PATTERNS, *POSITIVE_PATTERNS))
        raise BadInput(f"there is no pattern {pattern[:80]!r}", why=f"there are {known}")
    if not all(0 < len(text) <= 200 and text.isprintable() for text in (task_type, actor)):
        raise BadInput("a task type and an actor are printable text of 1 to 200 characters")
    if core == (pattern in state.core.get(task_type, ())):
        return []
    return [PatternPinned(at=now, task_type=task_type, pattern=pattern, core=core, actor=actor)]

"""Flags that are flipped while everything runs: by a signed event, below the environment, above the default."""

from collections.abc import Callable, Mapping, Sequence

from ..flags import Flags, check_flip, read_flags
from ..flags.reading import FIELDS, known
from ..ledger.events import Event
from . import rules
from .book import Book
from .document import from_canonical
from .events import PolicyRefused
from .flag_events import FlagFlipped
from .gatekeeping import Offer
from .gates import Judged
from .rules import By, StepRefused
from .state import GovernanceState

# From lax to strict; a flip to the right is a strict one, and stands on a simulation.
STRICTNESS: Mapping[str, tuple[str, ...]] = {
    "OPENCODE_ENFORCEMENT_MODE": ("off", "shadow", "enforce"),
    "OPENCODE_LEARNING_SIGNING_MODE": ("off", "allow-unsigned", "require-signed", "require-valid-signature"),
    "OPENCODE_STOP_CHECK_MODE": ("plan", "execute"),
}
FAMILIES = "OPENCODE_ENFORCE_FAMILIES"
# Without blocking anything: what only watches may be flipped to freely.
_WATCHES = ("off", "shadow")
InOrder = Callable[[str, str | None], None]
Simulated = Callable[[str, GovernanceState, Offer], Judged]


class Flips:
    def __init__(self, book: Book, simulated: Simulated, in_order: InOrder = lambda *_: None) -> None:
        """`in_order` raises where the plan's milestones do not let a flag move on yet."""
        self._book, self._simulated, self._in_order = book, simulated, in_order

    def flip(
        self,
        name: str,
        value: str | None,
        *,
        actor: str,
        reason: str,
        policy: str | None = None,
        simulation: Offer = None,
    ) -> FlagFlipped:
        """Flip a flag from here on; None takes the flip back. A strict flip names the policy that asks for it."""
        by = By(actor, reason, self._book.now()).checked()
        known(name)
        if value is not None:
            check_flip(name, value)
        self._in_order(name, value)

        def decide(state: GovernanceState) -> Sequence[Event]:
            digest = self._allowed(state, name, value, policy, simulation)
            return [
                FlagFlipped(
                    at=by.at, name=name, value=value, actor=by.actor, reason=by.reason, policy=policy or "",
                    simulation=digest,
                )
            ]  # fmt: skip

        try:
            (flipped,) = self._book.write(decide)
        except StepRefused as fault:
            self._refused(policy or "", f"{name}={value}", fault, by)
            raise
        assert isinstance(flipped, FlagFlipped)
        return flipped

    def _refused(self, policy: str, to: str, fault: StepRefused, by: By) -> None:
        self._book.note(
            PolicyRefused(at=by.at, policy=policy, policy_hash="", to=to, verdict=fault.verdict, actor=by.actor)
        )

    def held(self) -> dict[str, str]:
        """Every flip that holds now."""
        return self._book.state().flips

    def made(self) -> tuple[FlagFlipped, ...]:
        """Every flip that was ever made, oldest first, as the log has them."""
        ledger, found, position = self._book.ledger, list[FlagFlipped](), 0
        while rows := ledger.rows(position):
            decoded = (ledger.catalogue.decode(row[3], row[4]) for row in rows if row[3] == FlagFlipped.TOPIC)
            found += [event for event in decoded if isinstance(event, FlagFlipped)]
            position = rows[-1][0]
        return tuple(found)

    def flags(self) -> Flags:
        """What every flag is worth now."""
        return self._book.flags(self._book.state())

    def _allowed(self, state: GovernanceState, name: str, value: str | None, policy: str | None, offer: Offer) -> str:
        """The digest of the simulation that carries a strict flip; FG-12 refuses one without."""
        if not is_strict(name, value, state.flips) or not self._book.flags(state).sim_gate:
            return ""
        if policy is None:
            raise _refused("missing_policy_sim_gate", name, value, "a strict flip stands on the simulation of a policy")
        document = from_canonical(rules.standing_of(state, policy).document)
        if document.flags.get(name) != value:
            raise _refused("policy_sim_other_policy", name, value, f"{policy} does not ask for it under [flags]")
        judged = self._simulated(policy, state, offer)
        if not judged.ok:
            raise _refused(judged.verdict, name, value, judged.words)
        return judged.digest


def is_strict(name: str, value: str | None, flips: Mapping[str, str]) -> bool:
    """Whether this flip lets more be blocked or refused than now, whatever the environment says besides."""
    before = getattr(read_flags({}, flips), FIELDS[name])
    after = getattr(read_flags({}, _flipped(name, value, flips)), FIELDS[name])
    if name == FAMILIES:
        # No name at all means every family.
        return bool(before) and (not after or not set(after) <= set(before))
    order = STRICTNESS.get(name, (before, after))
    return name in STRICTNESS and after not in _WATCHES and order.index(after) > order.index(before)


def _flipped(name: str, value: str | None, flips: Mapping[str, str]) -> dict[str, str]:
    others = {held: worth for held, worth in flips.items() if held != name}
    return others if value is None else others | {name: value}


def _refused(verdict: str, name: str, value: str | None, words: str) -> StepRefused:
    cure = "simulate a policy that asks for it under [flags], and name that with --policy"
    return StepRefused(verdict, f"{name} is not flipped to {value}: {verdict}", why=words, cure=cure)

"""The stream of governance: decided on one version of it, and written only while it still has that version."""

import copy
from collections.abc import Callable, Mapping, Sequence

from ..flags import Flags
from ..ledger.events import Event
from ..ledger.ledger import Ledger
from ..ledger.sealing import Authority
from ..projections import deciding
from ..projections.folding import Folder
from .acts import signed
from .projection import POLICIES
from .state import GovernanceState

STREAM = "policy"
REFUSALS = "policy-refusals"


class Book:
    def __init__(
        self,
        ledger: Ledger,
        folder: Folder,
        authority: Callable[[], Authority],
        flags: Callable[[Mapping[str, str]], Flags],
    ) -> None:
        self.ledger, self.authority, self._folder, self._flags = ledger, authority, folder, flags

    def now(self) -> float:
        return self.ledger.clock.now()

    def state(self) -> GovernanceState:
        """As it is now, what other processes wrote included; a copy that nobody moves."""
        self._folder.catch_up()
        with self._folder.still():
            return copy.deepcopy(self._folder.state(POLICIES))

    def flags(self, state: GovernanceState) -> Flags:
        return self._flags(state.flips)

    def write(self, decide: Callable[[GovernanceState], Sequence[Event]]) -> list[Event]:
        """Decide on what there is, write it under our key; when somebody else was first, decide again."""

        def seen() -> deciding.Decision[list[Event]]:
            # First the version, then the state: what comes between the two makes the append fail, never slip in.
            version = self.ledger.version(STREAM)
            state = self.state()
            authority = self.authority()
            events = [signed(event, authority.origin, authority.signer) for event in decide(state)]
            return deciding.Decision(version, events, events)

        return deciding.write(self.ledger, self._folder, STREAM, seen)

    def note(self, event: Event) -> None:
        """What changes nothing that is decided on: refusals."""
        self.ledger.append(REFUSALS, [event])


def brake(flags: Flags) -> str | None:
    """What the environment, or else a flip, says of enforcement; the default holds nobody back."""
    return flags.enforcement_mode if "enforcement_mode" in flags.model_fields_set else None

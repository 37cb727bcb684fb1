"""What can happen to a flag at run time; whoever flips one, by hand or by rule, writes this."""

from typing import ClassVar

from ..ledger.events import Event


class FlagFlipped(Event, frozen=True, kw_only=True):
    """A flag has this value from here on, below the environment and above the default; None takes the flip back.

    `policy` and `simulation` say what carried a strict flip: the policy that asks for it, the digest of its artifact.
    """

    TOPIC: ClassVar[str] = "flag.flipped"
    name: str
    value: str | None
    actor: str
    reason: str
    envelope: str = ""
    policy: str = ""
    simulation: str = ""

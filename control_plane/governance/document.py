"""A policy as people write it: a TOML file, strictly read, known by the hash of its canonical form."""

import tomllib
from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec

from ..amounts import check_amounts
from ..errors import BadInput, SettingsError
from ..flags import FIELDS, check_flip, read_flags
from .misfits import of_shape, of_toml

LARGEST = 64 << 10
_GATES = ("OPENCODE_SIM_GATE", "OPENCODE_EVAL_GATE")
Text = Annotated[str, msgspec.Meta(max_length=500)]
Positive = Annotated[float, msgspec.Meta(gt=0.0, le=3_600_000.0)]


class PolicyInvalid(BadInput):
    """The policy's file has an unknown word, a laxer limit, or a value that is not allowed."""

    code = "policy.invalid"


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the file: an unknown word is a slip of the pen, not an extension."""


class SimulationRequest(_Part, frozen=True, kw_only=True):
    """What the simulation is asked to assume."""

    signing_mode: Literal["off", "allow-unsigned", "require-signed", "require-valid-signature"] = (
        "require-valid-signature"
    )
    replay_seed: Text = ""
    trace_ids_required: bool = False
    minimum_fidelity: Literal["demo", "degraded", "live"] = "demo"
    p95_ms: Positive = 2_200.0
    p99_ms: Positive = 3_500.0


class Gates(_Part, frozen=True, kw_only=True):
    """What the policy asks of its own artifacts: as much as the house, or more, never less."""

    acceptance_ratio: Annotated[float, msgspec.Meta(ge=0.9, le=1.0)] = 0.9
    minimum_delta: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.0
    most_results: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 1_000
    most_hours: Annotated[float, msgspec.Meta(gt=0.0, le=24.0)] = 24.0


class PolicyDocument(_Part, frozen=True, kw_only=True):
    """`router` changes the router's policy, `flags` are flipped when the policy is enforced."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}\Z")]
    description: Text = ""
    canary_share: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] = 0.1
    router: dict[str, Any] = {}
    simulation: SimulationRequest = SimulationRequest()
    gates: Gates = Gates()
    flags: dict[str, str] = {}

    @property
    def canonical(self) -> str:
        return msgspec.json.encode(self, order="sorted").decode()

    @property
    def hash(self) -> str:
        """The SHA-256 of the canonical JSON: comments, order and defaults that were left out do not change it."""
        return sha256(self.canonical.encode()).hexdigest()


def read_policy(text: str | bytes) -> PolicyDocument:
    """The policy in this TOML file; what is not understood is refused."""
    try:
        text = text.decode() if isinstance(text, bytes) else text
        if len(text) > LARGEST:
            raise PolicyInvalid(f"a policy of {len(text):,} characters", why=f"the limit is {LARGEST:,}")
        document = msgspec.convert(tomllib.loads(text), PolicyDocument)
        # Dates and numbers that JSON has no word for would have no canonical form.
        msgspec.json.decode(document.canonical)
        if "null" in document.canonical and _holds_none(msgspec.json.decode(document.canonical)):
            raise PolicyInvalid("the policy holds a number that is none", cure="write a finite number")
    except msgspec.ValidationError as fault:
        raise _unreadable(of_shape(fault)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, TypeError) as fault:
        raise _unreadable(of_toml(fault)) from None
    check_amounts(document.router, PolicyInvalid)
    for name, value in document.flags.items():
        _check_flag(name, value)
    _check_gates(document.flags)
    return document


def from_canonical(text: str) -> PolicyDocument:
    """The policy that an event holds; it was checked when it was proposed."""
    return msgspec.json.decode(text, type=PolicyDocument)


def _unreadable(why: str) -> PolicyInvalid:
    return PolicyInvalid("the policy cannot be read", why=why, cure="mend the file; docs/governance.md shows one")


def _check_gates(flags: dict[str, str]) -> None:
    """A policy that opens the gates would carry every later one past them."""
    for name, value in flags.items():
        if name in _GATES and not getattr(read_flags({}, {name: value}), FIELDS[name]):
            raise PolicyInvalid(
                f"a policy may not ask for {name}={value}",
                why="a gate is opened by hand, for all to see, not by what has to pass it",
                cure="leave it out; `control-plane flags flip` with an actor and a reason opens it",
            )


def _check_flag(name: str, value: str) -> None:
    try:
        check_flip(name, value)
    except SettingsError as fault:
        raise PolicyInvalid(fault.what, why=fault.why, cure=fault.cure) from None


def _holds_none(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_none, value.values()))
    return any(map(_holds_none, value)) if isinstance(value, list) else value is None

"""What a deciding process says of itself before its first decision: catalogue, policy, surroundings, identity."""

import platform
import secrets
import sys
from hashlib import blake2b, sha256

import msgspec

from .clock import Clock
from .flags import Flags
from .ledger.home import Home
from .ledger.keys import kept_secret
from .ledger.ledger import Ledger
from .router.events import CatalogueDeclared
from .router.identity import Identity
from .router.state import RouterState
from .router.terms import Arms, Policy
from .version import __version__

# Flags that can change a decision are part of its surroundings.
_DECIDING = ("strategy_bypass", "tail_slo", "learning_invalidation", "replay_seed")


def declare(
    ledger: Ledger, state: RouterState, arms: Arms, policy: Policy, surroundings: dict[str, str], clock: Clock
) -> str:
    """Say under which catalogue and policy this process decides, unless the log says so already."""
    declared = declaration_hash(arms, policy, surroundings)
    if state.declared != declared:
        fact = CatalogueDeclared(
            at=clock.now(),
            arms=arms.all,
            policy=policy,
            policy_hash=policy.hash,
            environment=surroundings,
            declared=declared,
        )
        ledger.append("router", [fact])
    return declared


def identity(home: Home, flags: Flags, declared: str) -> Identity:
    process = secrets.token_hex(4)
    seed = int.from_bytes(sha256(f"router:{flags.replay_seed or process}".encode()).digest()[:8])
    return Identity(blake2b(secret_of(home), person=b"decisions").digest(), process, seed, declared)


def surroundings(flags: Flags) -> dict[str, str]:
    """What may make the same inputs decide differently, were it not recorded."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": sys.platform,
        "version": __version__,
        **{name: str(value) for name, value in flags.model_dump().items() if name in _DECIDING},
    }


def declaration_hash(arms: Arms, policy: Policy, found: dict[str, str]) -> str:
    """The short name under which decisions refer to everything that was declared."""
    return sha256(msgspec.json.encode((arms.hash, policy.hash, found), order="sorted")).hexdigest()[:16]


def secret_of(home: Home) -> bytes:
    """A secret of the home that outlives its signing keys: what was issued under it stays good after a rotation."""
    return kept_secret(home.key.with_name("ids.key"), secrets.token_bytes(32))

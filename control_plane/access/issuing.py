"""The embedded issuer: a key of this home, whose JWTs its server lets in."""

from pathlib import Path
from typing import Any, Final

import msgspec
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey

from ..clock import new_id
from ..errors import BadInput
from ..ledger.keys import kept_secret
from .tokens import AUDIENCE, ROLES, Issuer

NAME: Final = "control-plane"
FILE: Final = "issuer.jwk"
LONGEST_TTL: Final = 30 * 86400.0


def issuer_of(folder: Path) -> Issuer:
    """Whose tokens are let in; its key is made at first use."""
    public = {name: value for name, value in _key(folder).as_dict(private=True).items() if name != "d"}
    return Issuer(NAME, KeySet.import_key_set({"keys": [public]}), AUDIENCE)


def issue(
    folder: Path, *, agent: str, role: str, workspace: str, session: str, now: float, ttl: float = 3600.0
) -> tuple[str, dict[str, Any]]:
    """A token and what it claims."""
    if role not in ROLES:
        raise BadInput(f"there is no role {role!r}", cure=f"one of {', '.join(sorted(ROLES))}")
    if not 0 < ttl <= LONGEST_TTL:
        raise BadInput("a token lives for up to 30 days")
    for field, value in (("agent", agent), ("workspace", workspace), ("session", session)):
        if not 0 < len(value) <= 128 or not value.isprintable():
            raise BadInput(f"the {field} of a token is a name of 1 to 128 characters")
    claims = {
        "iss": NAME, "aud": AUDIENCE, "sub": agent, "agent_id": agent, "workspace_id": workspace, "role": role,
        "session_id": session, "iat": int(now), "exp": int(now + ttl), "jti": new_id(now),
    }  # fmt: skip
    key = _key(folder)
    return jwt.encode({"alg": "Ed25519", "kid": key.kid}, claims, key, algorithms=["Ed25519"]), claims


def _key(folder: Path) -> OKPKey:
    fresh = OKPKey.generate_key("Ed25519", auto_kid=True).as_dict(private=True)
    return OKPKey.import_key(msgspec.json.decode(kept_secret(folder / FILE, msgspec.json.encode(fresh))))

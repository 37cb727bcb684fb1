"""Who is calling: the home's own token, or a JWT of a known issuer. A refusal names the check, never the token."""

import hmac
import math
import threading
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal, TypeGuard

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from ..errors import ControlPlaneError, SettingsError

Role = Literal["admin", "operator", "viewer", "coordinator", "participant", "auditor"]
ROLES: Final = frozenset(("admin", "operator", "viewer", "coordinator", "participant", "auditor"))
# What each role may do beyond reading.
WRITES: Final = {"admin": 3, "operator": 2, "coordinator": 1, "participant": 1, "viewer": 0, "auditor": 0}
WHOLE_LOG: Final = frozenset(("admin", "operator", "viewer", "auditor"))
AUDIENCE: Final = "control-plane"
# Clocks of two hosts may differ by so much.
LEEWAY_S: Final = 30
LONGEST = 8192
LATEST: Final = 2**53


class Refused(ControlPlaneError):
    """No token, or one that is not believed; `reason` is for the record: one word for each check."""

    code = "access.unauthorized"

    def __init__(self, what: str, reason: str, *, cure: str = "") -> None:
        super().__init__(what, cure=cure)
        self.reason = reason


class Forbidden(ControlPlaneError):
    """The caller is known, but its role may not do that."""

    code = "access.forbidden"


class NotConfigured(ControlPlaneError):
    """No token is configured, so nothing may be written."""

    code = "access.not-configured"


class Caller(msgspec.Struct, frozen=True):
    subject: str
    role: Role
    agent: str | None = None
    workspace: str | None = None
    session: str | None = None
    jti: str | None = None
    expires: float = math.inf


class Issuer(msgspec.Struct, frozen=True):
    """Whose JWTs are believed: by which keys, under which name, for whom."""

    name: str
    keys: KeySet
    audience: str = AUDIENCE


OWNER: Final = Caller("owner", "admin")


class _Signatures(JWSRegistry):
    """Ed25519 under its old name and its new one; the library warns of the old one at every token."""

    def get_alg(self, name: str) -> Any:
        if name not in ("EdDSA", "Ed25519"):
            raise UnsupportedAlgorithmError("only Ed25519 signatures are read")
        return self.algorithms[name]


_ED25519: Final = _Signatures()


class Access:
    """Checks one `Authorization` header; remembers which token a jti belongs to, so that no other can use it."""

    def __init__(
        self,
        token: Callable[[], str | None],
        issuers: Mapping[str, Issuer],
        now: Callable[[], float],
        revoked: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._token, self._issuers, self._now, self._revoked = token, dict(issuers), now, revoked
        self._seen: dict[str, tuple[bytes, float]] = {}
        self._lock = threading.Lock()

    @property
    def configured(self) -> bool:
        return self._token() is not None or bool(self._issuers)

    def caller(self, header: str | None) -> Caller:
        if header is None:
            raise Refused("no token was given", "no-token", cure="send `Authorization: Bearer <token>`")
        scheme, _, given = header.partition(" ")
        given = given.strip()
        if scheme.lower() != "bearer" or not given or len(given) > LONGEST:
            raise Refused(
                "the Authorization header is no bearer token", "not-bearer", cure="send `Authorization: Bearer <token>`"
            )
        own = self._token()
        if own is not None and hmac.compare_digest(given.encode(), own.encode()):
            return OWNER
        if given.count(".") != 2 or not self._issuers:
            raise Refused("that token is not this control plane's", "foreign", cure="read it anew from the token file")
        return self._checked(given)

    def check_still(self, caller: Caller) -> None:
        """Whoever was let in a while ago and is still being answered."""
        if caller.jti is None:
            return
        if self._revoked(caller.jti):
            raise Refused("that token was revoked", "revoked")
        if self.rest_of(caller) <= 0:
            raise Refused("the token has expired", "expired")

    def rest_of(self, caller: Caller) -> float:
        """For how many seconds yet its token is good."""
        return caller.expires + LEEWAY_S - self._now()

    def _checked(self, given: str) -> Caller:
        claims = self._claims(given)
        role, jti = claims.get("role"), claims.get("jti")
        if role not in ROLES:
            raise Refused("the token names no role that is known here", "no-role")
        if not isinstance(jti, str) or not jti:
            raise Refused("the token has no jti", "no-jti")
        if self._revoked(jti):
            raise Refused("that token was revoked", "revoked")
        expires = float(claims["exp"])
        self._bind(jti, given, expires)
        agent = claims.get("agent_id")
        return Caller(
            str(claims.get("sub") or agent or "unnamed"), role, agent, claims.get("workspace_id"),
            claims.get("session_id"), jti, expires,
        )  # fmt: skip

    def _claims(self, given: str) -> dict[str, Any]:
        for issuer in self._issuers.values():
            try:
                token = jwt.decode(given, issuer.keys, registry=_ED25519)
            except (JoseError, ValueError, TypeError):
                continue
            self._check_times(token.claims)
            if token.claims.get("iss") != issuer.name:
                raise Refused("the token's issuer is not the one whose key signed it", "wrong-issuer")
            audience = token.claims.get("aud")
            if audience != issuer.audience and not (isinstance(audience, list) and issuer.audience in audience):
                raise Refused("the token is for another audience", "wrong-audience")
            return token.claims
        raise Refused("no key that is known here signed that token", "foreign-key")

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now, expires = self._now(), claims.get("exp")
        if not _is_number(expires):
            raise Refused("the token has no time of expiry", "no-expiry")
        if expires <= now - LEEWAY_S:
            raise Refused("the token has expired", "expired")
        for name in ("nbf", "iat"):
            if name in claims and (not _is_number(claims[name]) or claims[name] > now + LEEWAY_S):
                raise Refused("the token is not valid yet", "not-yet")

    def _bind(self, jti: str, given: str, expires: float) -> None:
        digest, now = sha256(given.encode()).digest(), self._now()
        with self._lock:
            if len(self._seen) >= 100_000:
                self._seen = {name: kept for name, kept in self._seen.items() if kept[1] > now - LEEWAY_S}
            known = self._seen.setdefault(jti, (digest, expires))
        if known[0] != digest:
            raise Refused("another token used that jti before", "replayed")


def reaches(caller: Caller, least: Role) -> bool:
    return WRITES[caller.role] >= WRITES[least]


def may(caller: Caller, least: Role) -> None:
    if not reaches(caller, least):
        raise Forbidden(f"the role {caller.role} may not do that", cure=f"it takes the role {least}")


def may_read_the_log(caller: Caller) -> None:
    """The log holds every workspace's messages; who takes part in some threads reads those, through the bridge."""
    if caller.role not in WHOLE_LOG:
        raise Forbidden(f"the role {caller.role} does not read the whole log", cure="ask the bridge for its threads")
    if caller.workspace is not None:
        raise Forbidden("a token of one workspace does not read the whole log", cure="ask the bridge for its threads")


def read_jwks(path: Path, issuer: str, audience: str = AUDIENCE) -> Issuer:
    """An issuer's public keys, from a JWKS file."""
    try:
        return Issuer(issuer, KeySet.import_key_set(msgspec.json.decode(path.read_bytes())), audience)
    except (OSError, ValueError, TypeError, KeyError, JoseError) as fault:
        raise SettingsError(f"{path} is no JWKS", why=str(fault)) from None


def _is_number(value: object) -> TypeGuard[float]:
    """A time, that is: neither NaN, which is before nothing, nor more than a float can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LATEST

"""Issuers as they are, and as an attacker would like them to be."""

import base64
import hashlib
import hmac
import json
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey

from control_plane.access.tokens import AUDIENCE, Issuer

NAME = "https://issuer.test"
OUR_KEY = OKPKey.generate_key("Ed25519", auto_kid=True)
FOREIGN_KEY = OKPKey.generate_key("Ed25519", auto_kid=True)


def issuer() -> Issuer:
    """As it is believed here: the public half only."""
    return Issuer(NAME, KeySet.import_key_set({"keys": [OUR_KEY.as_dict(private=False)]}))


def claims(now: float, **changed: Any) -> dict[str, Any]:
    """Claims that are let in; a change of None takes one away."""
    good = {
        "iss": NAME, "aud": AUDIENCE, "sub": "ana", "role": "operator", "iat": int(now), "exp": int(now) + 600,
        "jti": f"jti-{json.dumps(changed, sort_keys=True)}",
    }  # fmt: skip
    return {name: value for name, value in (good | changed).items() if value is not None}


def signed(told: dict[str, Any], key: OKPKey = OUR_KEY) -> str:
    return jwt.encode({"alg": "Ed25519", "kid": OUR_KEY.kid}, told, key, algorithms=["Ed25519"])


def signed_by_the_old_name(told: dict[str, Any]) -> str:
    """EdDSA, as most issuers still call it."""
    text = f"{_part({'alg': 'EdDSA', 'kid': OUR_KEY.kid})}.{_part(told)}"
    return f"{text}.{_encoded(OUR_KEY.private_key.sign(text.encode()))}"


def unsigned(told: dict[str, Any]) -> str:
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(told)}."


def signed_with_the_public_key(told: dict[str, Any]) -> str:
    """HS256 with what everybody knows as its secret: a library that lets the token choose would believe it."""
    text = f"{_part({'alg': 'HS256', 'kid': OUR_KEY.kid})}.{_part(told)}"
    mac = hmac.new(OUR_KEY.as_pem(private=False), text.encode(), hashlib.sha256).digest()
    return f"{text}.{_encoded(mac)}"


def with_other_claims(token: str, told: dict[str, Any]) -> str:
    """The signature of one token under the claims of another."""
    head, _, signature = token.split(".")
    return f"{head}.{_part(told)}.{signature}"


def _part(told: dict[str, Any]) -> str:
    return _encoded(json.dumps(told).encode())


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")

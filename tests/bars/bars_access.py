"""Bars of the door: which tokens are let in, and which role may do what."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from joserfc import jws

from control_plane.access.tokens import ROLES, WRITES, Access, Caller, Forbidden, Refused, Role, may
from tests.access.conftest import TOKEN
from tests.access.issuing import NAME, claims, issuer, signed
from tests.access.test_tokens import BAD
from tests.bars.frame import Bar

NOW = 1_800_000_000.0


def check_only_good_tokens_are_let_in(access: Access) -> None:
    for kind, make in BAD.items():
        assert not let_in(access, make(NOW)), kind
    assert let_in(access, TOKEN)
    first, second = (signed(claims(NOW, jti="one", sub=sub)) for sub in ("ana", "bob"))
    assert [let_in(access, token) for token in (first, second, first)] == [True, False, True]
    assert not let_in(access, signed(claims(NOW, jti="revoked")))


def let_in(access: Access, token: str) -> bool:
    try:
        access.caller(f"Bearer {token}")
    except Refused:
        return False
    return True


def check_no_role_does_more_than_it_is_for(allow: Callable[[Caller, Role], None]) -> None:
    for role in ROLES:
        for least in ("participant", "operator", "admin"):
            allowed = WRITES[role] >= {"participant": 1, "operator": 2, "admin": 3}[least]
            try:
                allow(Caller("ana", role), least)
            except Forbidden:
                assert not allowed, (role, least)
            else:
                assert allowed, (role, least)


def door(kind: type[Access] = Access) -> Callable[[Path], Access]:
    return lambda _: kind(lambda: TOKEN, {NAME: issuer()}, lambda: NOW, lambda jti: jti == "revoked")


class NobodyIsRefused(Access):
    def caller(self, header: str | None) -> Caller:
        return Caller("anybody", "admin")


class TimesAreNotLookedAt(Access):
    def _check_times(self, claims: Mapping[str, Any]) -> None:
        """An expired token is as good as any."""


class JtisAreForgotten(Access):
    def _bind(self, jti: str, given: str, expires: float) -> None:
        """Any token may say any jti."""


class SignaturesAreNotChecked(Access):
    def _claims(self, given: str) -> dict[str, Any]:
        try:
            told = jws.extract_compact(given.encode()).payload
        except ValueError:
            raise Refused("that is no token", "foreign-key") from None
        found: dict[str, Any] = json.loads(told)
        self._check_times(found)
        if found.get("iss") != NAME or "control-plane" not in str(found.get("aud")):
            raise Refused("for somebody else", "wrong-audience")
        return found


class AudienceIsNotLookedAt(Access):
    def _claims(self, given: str) -> dict[str, Any]:
        try:
            return super()._claims(given)
        except Refused as fault:
            if fault.reason != "wrong-audience":
                raise
            found: dict[str, Any] = json.loads(jws.extract_compact(given.encode()).payload)
            return found


def writers_are_all_alike(caller: Caller, least: Role) -> None:
    if WRITES[caller.role] == 0:
        raise Forbidden("readers only read")


BARS = [
    Bar(
        check_only_good_tokens_are_let_in,
        real=door(),
        null=door(NobodyIsRefused),
        planted={
            "times are not looked at": door(TimesAreNotLookedAt),
            "jtis are forgotten": door(JtisAreForgotten),
            "signatures are not checked": door(SignaturesAreNotChecked),
            "the audience is not looked at": door(AudienceIsNotLookedAt),
            "nothing is revoked": lambda _: Access(lambda: TOKEN, {NAME: issuer()}, lambda: NOW),
        },
    ),
    Bar(
        check_no_role_does_more_than_it_is_for,
        real=lambda _: may,
        null=lambda _: lambda caller, least: None,
        planted={"all who write are alike": lambda _: writers_are_all_alike},
    ),
]

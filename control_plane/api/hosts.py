"""Under which names this server is asked, and by which pages: browsers say both, and no page can forge them."""

import ipaddress
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from ..access.tokens import Forbidden

READING: Final = ("GET", "HEAD", "OPTIONS")
_REMEMBERED: Final = 256


class Hosts:
    """The loopback names, and what an operator named.

    Whose page was found by another name (DNS rebinding) is told nothing; a page of another site changes nothing.
    """

    def __init__(self, named: Iterable[str] = ()) -> None:
        self._named = frozenset(name.lower().strip("[]") for name in named)
        # Who listens everywhere is asked under any address; an address is nobody's name that could be moved here.
        self._any_address = not self._named.isdisjoint(("0.0.0.0", "::"))  # noqa: S104 - compared, not bound
        self._known = set[bytes]()

    def check(self, headers: dict[bytes, bytes], method: str) -> None:
        host = headers.get(b"host")
        if host is not None and host not in self._known:
            self._check_host(host)
        if b"origin" in headers and method not in READING:
            self._check_origin(headers[b"origin"].decode("latin-1"))

    def _check_host(self, host: bytes) -> None:
        if not self._ours(f"//{host.decode('latin-1')}"):
            raise Forbidden("this server is not known under that name", cure="`serve --name` says it another one")
        if len(self._known) < _REMEMBERED:
            self._known.add(host)

    def _check_origin(self, origin: str) -> None:
        if origin and not self._ours(origin):
            raise Forbidden("a page of another site may not ask", cure="ask from a program, or from this machine")

    def _ours(self, address: str) -> bool:
        try:
            name = urlsplit(address).hostname or ""
        except ValueError:
            return False
        if name == "localhost" or name in self._named:
            return True
        try:
            found = ipaddress.ip_address(name)
        except ValueError:
            return False
        return found.is_loopback or (self._any_address and not found.is_unspecified)

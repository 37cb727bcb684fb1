"""Tells endpoints how a run ended: signed, with an id, at least once, and never where a request could do harm."""

import hashlib
import hmac
import http.client
import ipaddress
import random
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..clock import Clock
from .errors import EndpointRefused

PAUSES_S, PATIENCE_S = (1.0, 2.0, 4.0, 8.0), 10.0
METADATA = frozenset(
    ("metadata", "metadata.google.internal", "instance-data", "169.254.169.254", "100.100.100.200", "fd00:ec2::254")
)
# Transient by their meaning; any other refusal will be one tomorrow too.
_AGAIN = frozenset((408, 425, 429, 500, 502, 503, 504))
Delivered = tuple[bool, int, int, str]
Resolve = Callable[[str, int], Sequence[str]]


def addresses(host: str, port: int) -> list[str]:
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


@dataclass(frozen=True)
class Notifier:
    """`allowed`: hosts that may be private. Loopback is this machine's own and needs no leave."""

    secret: str = field(repr=False)
    allowed: frozenset[str] = frozenset()
    pauses_s: Sequence[float] = PAUSES_S
    patience_s: float = PATIENCE_S
    resolve: Resolve = addresses

    def check(self, url: str) -> tuple[str, int, str]:
        """Host, port and the address to connect to: the one that was checked, whatever the name says a moment later."""
        try:
            parts = urlsplit(url)
            given, fits = parts.port, parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            fits = False
        if not fits:
            raise EndpointRefused(f"{url!r} is no address for a webhook", cure="as in https://example.com/hook")
        assert parts.hostname is not None
        if parts.username or parts.password:
            raise EndpointRefused("a webhook's address holds a password", cure="the body is signed; leave it out")
        host, port = parts.hostname, given or (443 if parts.scheme == "https" else 80)
        try:
            found = self.resolve(host, port)
        except (OSError, UnicodeError) as fault:
            raise EndpointRefused(f"{host} has no address", why=str(fault)) from None
        if not found:
            raise EndpointRefused(f"{host} has no address")
        if host not in self.allowed:
            for address in found:
                _check_address(host, address)
        return host, port, found[0]

    def deliver(self, clock: Clock, stop: threading.Event, notice: str, url: str, body: str) -> Delivered:
        """(taken, tries, status, why not); an id tells repeats apart, since a lost answer is sent again."""
        why, status, tries = "", 0, 0
        for pause in (*self.pauses_s, None):
            tries += 1
            try:
                status = self._post(notice, url, body.encode(), clock.now())
                if 200 <= status < 300:
                    return True, tries, status, ""
                why = f"answered {status}"
                if status not in _AGAIN:
                    break
            except EndpointRefused as fault:
                return False, tries, 0, str(fault)
            except (OSError, http.client.HTTPException) as fault:
                why = str(fault) or type(fault).__name__
            if pause is None or clock.wait(stop, pause * random.uniform(0.8, 1.2)):  # noqa: S311 - jitter
                break
        return False, tries, status, why

    def _post(self, notice: str, url: str, body: bytes, now: float) -> int:
        host, port, address = self.check(url)
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(host, port, timeout=self.patience_s)
        raw = socket.create_connection((address, port), self.patience_s)
        try:
            secure = parts.scheme == "https"
            connection.sock = ssl.create_default_context().wrap_socket(raw, server_hostname=host) if secure else raw
            headers = {
                "content-type": "application/json", "x-control-plane-id": notice,
                "x-control-plane-signature": signature(self.secret, notice, int(now), body),
            }  # fmt: skip
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, body, headers)
            return connection.getresponse().status
        finally:
            connection.close()
            raw.close()


def _check_address(host: str, address: str) -> None:
    found = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    mapped = getattr(found, "ipv4_mapped", None)
    found = mapped or found
    cure = f"allow it by name: --notify-allow {host}"
    if host.rstrip(".").lower() in METADATA or str(found) in METADATA:
        raise EndpointRefused(f"{host} serves a machine's metadata", why="it gives away credentials", cure=cure)
    if found.is_loopback:
        return
    if not found.is_global or found.is_multicast:
        raise EndpointRefused(f"{host} is a private address", why=f"it resolves to {found}", cure=cure)


def signature(secret: str, notice: str, at: int, body: bytes) -> str:
    """`t=<seconds>,v1=<hex>`: HMAC-SHA256 over `id.t.body`, so that neither can be changed and old ones are seen."""
    signed = hmac.new(secret.encode(), f"{notice}.{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={signed}"


def verify(secret: str, notice: str, told: str, body: bytes, now: float, tolerance_s: float = 300.0) -> bool:
    """What a receiver does."""
    parts = dict(part.partition("=")[::2] for part in told.split(","))
    if not parts.get("t", "").isdigit() or abs(now - int(parts["t"])) > tolerance_s:
        return False
    return hmac.compare_digest(signature(secret, notice, int(parts["t"]), body), told)

"""A connection to an address, as its scheme says; nothing is sent yet."""

import http.client
from urllib.parse import urlsplit


def dial(url: str, patience_s: float) -> http.client.HTTPConnection:
    """Raises ValueError for an address without a host, or with a port that is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r:.200} is no address")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname, parts.port, timeout=patience_s)

"""The files of the page, as the package holds them; nothing else can be asked for."""

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

import msgspec

KINDS: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
# Everything comes from this server, nothing is written into the page as markup, nobody frames it.
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class File(msgspec.Struct, frozen=True):
    content: bytes
    kind: str
    tag: str


def read_files() -> dict[str, File]:
    """By name; `index.html` is the page itself."""
    found = {}
    for path in files(__package__).joinpath("static").iterdir():
        kind = KINDS.get(f".{path.name.rpartition('.')[2]}")
        if kind is not None:
            content = path.read_bytes()
            found[path.name] = File(content, kind, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
    return found

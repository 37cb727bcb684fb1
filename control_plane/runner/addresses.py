"""Where notices go: an address may carry a secret, so the log has its host and a digest, the home the rest."""

from hashlib import blake2b
from pathlib import Path
from urllib.parse import urlsplit

from ..ledger.keys import kept_secret
from .errors import EndpointRefused

FOLDER, MARK = "webhooks", "#"


class Addresses:
    """One private file for each address, beside the home's other secrets."""

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER

    def keep(self, url: str) -> str:
        """The name under which it may be spoken of."""
        digest = blake2b(url.encode(), digest_size=8).hexdigest()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        kept_secret(self._folder / digest, url.encode())
        return f"{_public(url)}{MARK}{digest}"

    def of(self, name: str) -> str:
        """The address itself; what was written down before addresses had names is one."""
        host, mark, digest = name.rpartition(MARK)
        if not mark:
            return name
        path = self._folder / digest
        if not digest.isalnum() or not path.is_file():
            raise EndpointRefused(f"the rest of {host} is not kept on this machine", cure="name the endpoint again")
        return path.read_text("utf-8")


def _public(url: str) -> str:
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname or ''}/"
    except ValueError:
        return ""

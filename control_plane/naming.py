"""How a home may be named: a folder, or the address of a PostgreSQL database."""

import re

from .errors import BadInput

_SCHEMES = ("postgresql", "postgres")
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def check_name(named: object) -> None:
    """An address of anything else is no folder either, though one could be made of its letters."""
    found = _ADDRESS.match(named) if isinstance(named, str) else None
    if found is not None and found[1].lower() not in _SCHEMES:
        # What stands behind the scheme may hold a password.
        raise BadInput(
            f"a home is not named by {found[1]}://…",
            why="it is a folder, or lives in PostgreSQL",
            cure="name a folder, or write postgresql://user@host/database",
        )

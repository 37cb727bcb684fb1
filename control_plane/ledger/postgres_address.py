"""`postgresql://…` as the name of a home: what to connect to, which schema, and what to call it."""

import os
import re
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from ..errors import BadInput

SCHEMES = ("postgresql", "postgres")


class PostgresAddress(NamedTuple):
    """`url` is what the driver understands; `?schema=` is ours and picks the log in the database."""

    url: str
    schema: str
    database: str
    label: str

    @classmethod
    def parse(cls, text: str) -> "PostgresAddress":
        try:
            parts = urlsplit(text)
            query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError as fault:
            raise BadInput("the home is not a PostgreSQL address", why=str(fault), cure=_FORM) from None
        schema = query.pop("schema", "public")
        database = unquote(parts.path.strip("/"))
        if parts.scheme not in SCHEMES or not database or not schema or "/" in database:
            raise BadInput("the home is not a PostgreSQL address", cure=_FORM)
        url = urlunsplit(parts._replace(query=urlencode(query)))
        # What others may see: no user, no password.
        place = parts.netloc.rpartition("@")[2] or query.get("host", "")
        return cls(url, schema, database, f"postgresql://{place}/{database}?schema={schema}")

    def state_folder(self, environment: "os._Environ[str] | dict[str, str]" = os.environ) -> Path:
        """Where this host keeps its journal, key, witness and token unless it was told where."""
        named = environment.get("CONTROL_PLANE_STATE")
        if named:
            return Path(named).expanduser()
        base = environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        readable = re.sub(r"[^A-Za-z0-9_.-]", "_", f"{self.database}.{self.schema}")[:80]
        return Path(base) / "control-plane" / f"{readable}-{sha256(self.label.encode()).hexdigest()[:12]}"


def is_postgres(named: object) -> bool:
    return isinstance(named, str) and named.partition("://")[0].lower() in SCHEMES and "://" in named


_FORM = "it reads postgresql://user@host/database, and may end in ?schema=name"

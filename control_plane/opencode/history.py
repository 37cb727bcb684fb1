"""OpenCode's own history, read-only: which model answered, what it took and cost; texts are not even looked at."""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import ControlPlaneError
from ..turns.events import PastStep, Usage


class HistoryUnreadable(ControlPlaneError):
    """OpenCode's database cannot be read, or has another shape."""

    code = "opencode.history"


# Only these fields leave the database; `data` also holds what the provider said of a fault.
_STEPS = """
SELECT m.id, m.session_id, json_extract(m.data, '$.parentID'), json_extract(m.data, '$.providerID'),
       json_extract(m.data, '$.modelID'), json_extract(m.data, '$.agent'), json_extract(m.data, '$.cost'),
       json_extract(m.data, '$.tokens.input'), json_extract(m.data, '$.tokens.output'),
       json_extract(m.data, '$.tokens.reasoning'), json_extract(m.data, '$.tokens.cache.read'),
       json_extract(m.data, '$.tokens.cache.write'), json_extract(m.data, '$.time.created'),
       json_extract(m.data, '$.time.completed'), json_extract(m.data, '$.error.name')
FROM message m
WHERE json_extract(m.data, '$.role') = 'assistant' AND json_extract(m.data, '$.time.completed') IS NOT NULL
ORDER BY m.id
"""


def database_of(env: Mapping[str, str]) -> Path:
    named = env.get("OPENCODE_DB", "")
    if named and named != ":memory:":
        return Path(named)
    base = env.get("XDG_DATA_HOME") or str(Path(env.get("HOME", "~")).expanduser() / ".local" / "share")
    return Path(base) / "opencode" / "opencode.db"


def past_steps(path: Path) -> list[PastStep]:
    """Every answer of a model that was completed, oldest first."""
    if not path.is_file():
        raise HistoryUnreadable(f"there is no history at {path}", cure="name OpenCode's opencode.db with --database")
    try:
        with _reading(path) as rows:
            return [_step(*row) for row in rows.execute(_STEPS)]
    except sqlite3.Error as fault:
        raise HistoryUnreadable(
            f"{path} cannot be read", why=str(fault), cure="it must be the opencode.db of OpenCode 1.x"
        ) from None


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Nothing can be written over this connection."""
    with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as rows:
        rows.execute("PRAGMA query_only = ON")
        yield rows


def _step(
    message: str, session: str, turn: str | None, provider: str | None, model: str | None, agent: str | None,
    cost: float | None, tokens_in: float | None, tokens_out: float | None, reasoning: float | None,
    cache_read: float | None, cache_write: float | None, created: float | None, completed: float, error: str | None,
) -> PastStep:  # fmt: skip
    usage = Usage(
        cost_usd=cost or 0.0, tokens_in=tokens_in or 0, tokens_out=tokens_out or 0, tokens_reasoning=reasoning or 0,
        cache_read=cache_read or 0, cache_write=cache_write or 0,
        latency_ms=max(0.0, completed - (created or completed)),
        quota=int(not cost and bool(tokens_out)),
    )  # fmt: skip
    return PastStep(
        message=message, turn=turn or "", session=session, model=f"{provider}/{model}", at=completed / 1000.0,
        usage=usage, agent=agent, error=error,
    )  # fmt: skip

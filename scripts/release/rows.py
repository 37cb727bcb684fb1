"""One line of a release's check: what was looked at, how it stands, what was seen."""

import json
import sys
from collections.abc import Sequence
from typing import Literal, NamedTuple

State = Literal["holds", "fails", "not run"]
FAILED, NOT_RUN = 1, 3


class Row(NamedTuple):
    what: str
    state: State
    seen: str


def exit_code(rows: Sequence[Row]) -> int:
    """1 where anything fails; 3 where nothing does, but something could not be looked at: that is never a pass."""
    states = {row.state for row in rows}
    return FAILED if "fails" in states else NOT_RUN if "not run" in states or not rows else 0


def tell(rows: Sequence[Row], as_json: bool) -> int:
    code = exit_code(rows)
    if as_json:
        sys.stdout.write(json.dumps({"ok": code == 0, "rows": [row._asdict() for row in rows]}) + "\n")
        return code
    width = max((len(row.what) for row in rows), default=0)
    for row in rows:
        sys.stdout.write(f"{row.state:7}  {row.what:{width}}  {row.seen}\n")
    failing, unseen = (sum(row.state == state for row in rows) for state in ("fails", "not run"))
    sys.stdout.write(f"{len(rows)} looked at, {failing} fail, {unseen} could not be run\n")
    return code

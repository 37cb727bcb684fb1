"""What was released and must go on working; `python -m tests.released` writes it down when a version is made."""

import inspect
import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from control_plane.cli.command import load
from control_plane.flags import FIELDS
from control_plane.ledger.events import version_of
from control_plane.pages.errors import errors
from control_plane.pages.library import named_entries, plane_entries
from control_plane.pages.routes import routes
from control_plane.pages.signatures import spelled
from control_plane.rooms import CATALOGUE

FILE = Path(__file__).with_suffix(".json")
WINDOW_DAYS = 180
ROW = re.compile(r"^\| `([^`]+)` \| (\d{4}-\d\d-\d\d) \| (\d{4}-\d\d-\d\d) \| \S.*\|$", re.MULTILINE)


def surface() -> dict[str, Any]:
    return {
        "events": {kind.TOPIC: _shape(kind) for kind in CATALOGUE},
        "names": sorted(
            {f"command {entry.name}" for entry in load(())}
            | {f"argument {entry.name} {name}" for entry in load(()) for one in entry.arguments for name in one.names}
            | {f"route {route.method} {route.path}" for route in routes()}
            | {f"error {kind.code}" for kind in errors()}
            | {f"flag {name}" for name in FIELDS}
            | {f"library {entry.spelled}" for entry in named_entries()}
            | {f"library ControlPlane.{_plain(entry.spelled)}" for entry in plane_entries()}
        ),
    }


def _shape(kind: Any) -> dict[str, Any]:
    fields = {field.name: [spelled(field.type), field.required] for field in msgspec.structs.fields(kind)}
    return {"version": version_of(kind), "fields": fields}


def _plain(name: str) -> str:
    return re.split(r"[(:]", name)[0]


def broken(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What worked then and does not now."""
    gone = sorted(set(then["names"]) - set(now["names"]))
    return [*gone, *(fault for topic in then["events"] for fault in _changed(topic, then, now))]


def _changed(topic: str, then: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    old, new = then["events"][topic], now["events"].get(topic)
    if new is None:
        yield f"event {topic}"
    elif new["version"] == old["version"]:
        same = {name: told for name, told in new["fields"].items() if name in old["fields"]}
        added = [name for name, (_, required) in new["fields"].items() if required and name not in old["fields"]]
        if same != old["fields"] or added:
            yield f"event {topic} has another shape under the same version"
    elif not all(_upcasts(topic, step) for step in range(old["version"], new["version"])):
        yield f"event {topic} cannot be read in its older version"


def _upcasts(topic: str, step: int) -> bool:
    kind = next(kind for kind in CATALOGUE if topic == kind.TOPIC)
    return inspect.isroutine(getattr(kind, f"upcast_v{step}_v{step + 1}", None))


def ended(page: str, today: date) -> tuple[set[str], list[str]]:
    """What the table says has ended, and its rows that give too little time."""
    rows = [(what, date.fromisoformat(since), date.fromisoformat(until)) for what, since, until in ROW.findall(page)]
    hasty = [what for what, since, until in rows if (until - since).days < WINDOW_DAYS]
    return {what for what, _, until in rows if until <= today}, hasty


if __name__ == "__main__":
    FILE.write_text(json.dumps(surface(), indent=0, sort_keys=True) + "\n", encoding="utf-8")

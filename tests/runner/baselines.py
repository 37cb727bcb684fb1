"""The rules of three other programs, written anew, to be measured beside ours on the same traces."""

import json
from collections import Counter, deque
from collections.abc import Callable, Iterable

from control_plane.runner.normal import failed
from control_plane.runner.trace import Chunk, Seen, TextSaid, Told, ToolEnded


def _raw(seen: ToolEnded) -> str:
    return f"{seen.tool}:{json.dumps(seen.args)}"


def openhands(trace: Iterable[Seen]) -> int | None:
    """In 20 events: action and result ×4, action with errors ×3, message ×3, two in turn over six."""
    calls: list[tuple[str, str, bool]] = []
    said: list[str] = []
    for number, seen in enumerate(trace, 1):
        if isinstance(seen, Told):
            calls, said = [], []
        elif isinstance(seen, TextSaid):
            said.append(seen.text)
            if len(said) >= 3 and len(set(said[-3:])) == 1:
                return number
        elif isinstance(seen, ToolEnded):
            said = []
            calls.append((_raw(seen), seen.output, failed(seen.failed, seen.output)))
            last = calls[-10:]
            same = len(last) >= 4 and len({(call, output) for call, output, _ in last[-4:]}) == 1
            errors = len(last) >= 3 and len({call for call, _, _ in last[-3:]}) == 1 and all(e for *_, e in last[-3:])
            turns = len(last) >= 6 and all(last[-1 - n][:2] == last[-3 - n][:2] for n in range(4))
            if same or errors or turns:
                return number
    return None


def gemini(trace: Iterable[Seen]) -> int | None:
    """Five equal calls, a cycle of one to five calls five times, 50 characters ten times at most 250 apart."""
    calls: list[str] = []
    said, places = "", dict[str, deque[int]]()
    for number, seen in enumerate(trace, 1):
        if isinstance(seen, Told):
            calls, said, places = [], "", {}
        elif isinstance(seen, ToolEnded):
            calls.append(_raw(seen))
            said, places = "", {}
            if any(_repeats(calls, period, 5) for period in range(1, 6)):
                return number
        else:
            begin = len(said)
            said += seen.text
            for at in range(max(0, begin - 49), len(said) - 49):
                found = places.setdefault(said[at : at + 50], deque(maxlen=10))
                found.append(at)
                if len(found) == 10 and (found[-1] - found[0]) / 9 <= 250:
                    return number
    return None


def _repeats(calls: list[str], period: int, times: int) -> bool:
    if len(calls) < period * times:
        return False
    last = calls[-period * times :]
    return all(last[at] == last[at % period] for at in range(len(last)))


def doom_loop(trace: Iterable[Seen]) -> int | None:
    """OpenCode: three equal calls among the last three parts of one message."""
    parts: list[str] = []
    for number, seen in enumerate(trace, 1):
        if isinstance(seen, ToolEnded):
            parts.append(_raw(seen))
            if len(parts) >= 3 and len(set(parts[-3:])) == 1:
                return number
        elif not isinstance(seen, Chunk):
            parts = []
    return None


BASELINES: dict[str, Callable[[Iterable[Seen]], int | None]] = {
    "OpenHands": openhands, "Gemini CLI": gemini, "OpenCode doom_loop": doom_loop,
}  # fmt: skip


def summary(found: Counter[str], loops: int, benign: int) -> str:
    """One line of the table."""
    return f"recall {found['loop']}/{loops}  false alarms {found['benign']}/{benign}"

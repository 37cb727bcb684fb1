"""The detector beside the three baselines on the corpus; `python -m tests.runner.measured` prints the table."""

import json
import time
from collections import Counter
from typing import NamedTuple

from control_plane.runner.detector import LIMITS, Detector
from control_plane.runner.trace import Seen
from tests.runner.baselines import BASELINES, summary
from tests.runner.making import CORPUS
from tests.runner.traces import read_trace


class Loop(NamedTuple):
    name: str
    begins: int
    period: int
    trace: list[Seen]


def loops() -> list[Loop]:
    told = json.loads((CORPUS / "loops.json").read_text())
    return [Loop(one["name"], one["begins"], one["period"], list(read_trace(CORPUS / f"loops/{one['name']}.jsonl")))
            for one in told]  # fmt: skip


def benign() -> dict[str, list[Seen]]:
    return {path.stem: list(read_trace(path)) for path in sorted((CORPUS / "benign").glob("*.jsonl"))}


def ours(trace: list[Seen]) -> int | None:
    detector = Detector(LIMITS)
    return next((number for number, seen in enumerate(trace, 1) if detector.see(seen) is not None), None)


def table() -> dict[str, Counter[str]]:
    rules = {"control plane": ours, **BASELINES}
    found = {name: Counter[str]() for name in rules}
    for name, rule in rules.items():
        found[name]["loop"] = sum(rule(one.trace) is not None for one in loops())
        found[name]["benign"] = sum(rule(trace) is not None for trace in benign().values())
    return found


def speed(seconds: float = 1.0) -> float:
    """Events a second over the whole corpus, again and again."""
    traces = [*(one.trace for one in loops()), *benign().values()]
    seen, began = 0, time.process_time()
    while time.process_time() - began < seconds:
        for trace in traces:
            detector = Detector(LIMITS)
            for one in trace:
                detector.see(one)
            seen += len(trace)
    return seen / (time.process_time() - began)


def main() -> None:
    many, few = len(loops()), len(benign())
    for name, found in table().items():
        print(f"{name:20} {summary(found, many, few)}")
    print(f"{speed():,.0f} events/s")
    for one in loops():
        print(one.name, "begins", one.begins, "period", one.period, "found", ours(one.trace))
    for name, trace in benign().items():
        if ours(trace):
            print("FALSE ALARM", name, ours(trace))


if __name__ == "__main__":
    main()

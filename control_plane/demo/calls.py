"""The 1,300 real calls of nine models: grade-school mathematics (GSM8K), not coding."""

import csv
from collections import defaultdict
from collections.abc import Sequence
from importlib.resources import files
from math import ceil
from typing import NamedTuple

import msgspec


class Call(NamedTuple):
    model: str
    right: bool
    cost_usd: float
    latency_ms: float


class Record(msgspec.Struct, frozen=True):
    """What one model's calls come to."""

    model: str
    calls: int
    right: float
    cost_usd: float
    p95_ms: float


class Findings(msgspec.Struct, frozen=True):
    """The models, the one used most first; its rank by price (1 is the dearest) and by success (1 is the worst)."""

    records: tuple[Record, ...]
    dearest_rank: int
    worst_rank: int


def read_calls() -> list[Call]:
    text = (files(__package__) / "calls.csv").read_text(encoding="utf-8")
    return [
        Call(row["model"], float(row["quality"]) >= 0.5, float(row["cost_usd"]), float(row["latency_s"]) * 1000.0)
        for row in csv.DictReader(text.splitlines())
    ]


def by_model(calls: Sequence[Call]) -> dict[str, list[Call]]:
    found: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        found[call.model].append(call)
    return dict(found)


def look(calls: Sequence[Call]) -> Findings:
    records = sorted((_record(model, its) for model, its in by_model(calls).items()), key=lambda r: -r.calls)
    most = records[0]
    return Findings(
        tuple(records),
        1 + sum(one.cost_usd > most.cost_usd for one in records),
        1 + sum(one.right < most.right for one in records),
    )


def _record(model: str, calls: Sequence[Call]) -> Record:
    count, slowest = len(calls), sorted(call.latency_ms for call in calls)
    return Record(
        model,
        count,
        sum(call.right for call in calls) / count,
        sum(call.cost_usd for call in calls) / count,
        slowest[ceil(count * 0.95) - 1],
    )

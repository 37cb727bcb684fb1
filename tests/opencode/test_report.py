"""The report equals a recomputation from the raw rows that shares no code with it; too little is called too little."""

import contextlib
import json
import math
import random
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control_plane import Arm, ControlPlane
from control_plane.cli import main
from control_plane.clock import Clock
from control_plane.turns.events import HistoryImported, PastStep, StepTaken, TurnBegun, TurnJudged, TurnMoved, Usage

MODELS = ("acme/one", "acme/two", "acme/three")
TYPES = ("code.fix", "docs.write", "general")
DAY = 86400.0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def history(now: float) -> HistoryImported:
    """Some of it is of answers that were recorded too."""
    steps = [
        PastStep(
            message=f"m{n}-0" if n % 3 == 0 else f"p{n}", turn=f"q{n // 2}", session="old", model=MODELS[n % 2],
            at=now - n * DAY / 4, usage=Usage(cost_usd=0.01 * n, latency_ms=3),
        )
        for n in range(1, 50)
    ]  # fmt: skip
    return HistoryImported(at=now, source="x", steps=tuple(steps))


def grow(home: Path, turns: int, seed: int) -> None:
    """Turns of all kinds, in and out of the week, by a clock of their own."""
    draw, now = random.Random(seed), Clock().now()
    with ControlPlane.open(home, catalogue=[Arm(name) for name in MODELS], background=False) as plane:
        facts: list[Any] = []
        for n in range(turns):
            at = now - draw.uniform(0.1, 9.0) * DAY
            kind, picked = draw.choice(TYPES), draw.choice(("auto", "hand", "default", "default"))
            used, advised = draw.choice(MODELS), draw.choice(MODELS[:2])
            facts.append(
                TurnBegun(
                    at=at, turn=f"t{n}", session=f"s{n % 7}", task_type=kind, picked=picked, used=used,
                    advised=used if picked == "auto" else advised,
                    advised_decision=None if draw.random() < 0.1 else f"d{n}",
                )
            )  # fmt: skip
            for step in range(draw.choice((0, 1, 1, 2, 3))):
                free = used == MODELS[2]
                usage = Usage(
                    cost_usd=0.0 if free else draw.expovariate(20), tokens_out=10, quota=int(free),
                    latency_ms=draw.uniform(1, 9),
                )  # fmt: skip
                taken = StepTaken(
                    at=at + step, turn=f"t{n}", session=f"s{n % 7}", message=f"m{n}-{step}", model=used, usage=usage
                )
                facts += [taken, taken] if draw.random() < 0.05 else [taken]
            if draw.random() < 0.1:
                facts.append(TurnMoved(at=at + 5, turn=f"t{n}", session="s", failed=used, error="server", to=used))
            for verdict in draw.choice(((), (), ("good",), ("bad",), ("reverted",), ("reverted", "good"))):
                facts.append(TurnJudged(at=at + 9, turn=f"t{n}", session="s", verdict=verdict, source="person"))
        facts.append(history(now))
        for at in range(0, len(facts), 200):
            plane.ledger.append("turns", facts[at : at + 200])


Log = list[tuple[str, dict[str, Any]]]
# Of an answer: its turn, its dollars, its requests.
Answered = dict[str, tuple[str, float, int]]


def answers_in(log: Log, since: float, until: float) -> tuple[dict[str, dict[str, Any]], Answered, dict[str, str]]:
    """Turns by name, answers by message, and the model of each turn."""
    turn: dict[str, dict[str, Any]] = {}
    answered: Answered = {}
    model_of: dict[str, str] = {}
    for topic, one in log:
        inside = since <= one["at"] < until
        if topic == "turns.turn-begun" and inside:
            turn[one["turn"]] = one
        if topic == "turns.step-taken" and inside and one["message"] not in answered:
            answered[one["message"]] = (one["turn"], one["usage"].get("cost_usd", 0.0), one["usage"].get("quota", 0))
            model_of[one["turn"]] = one["model"]
    for topic, one in log:
        if topic == "turns.history-imported":
            for step in one["steps"]:
                if since <= step["at"] < until and step["message"] not in answered:
                    answered[step["message"]] = (
                        step["turn"],
                        step["usage"].get("cost_usd", 0.0),
                        step["usage"].get("quota", 0),
                    )
                    model_of.setdefault(step["turn"], step["model"])
    return turn, answered, model_of


def priced(
    asked: list[tuple[str, str, float]], cells: dict[tuple[str, str], list[float]]
) -> tuple[float, float, float]:
    """What the advised models would have cost: estimate, its standard error, how many answers it rests on."""
    estimate = variance = 0.0
    weights: list[float] = []
    for cell in {(kind, model) for kind, model, _ in asked}:
        seen, count = cells[cell], sum((kind, model) == cell for kind, model, _ in asked)
        if len(seen) >= 2:
            mean = sum(seen) / len(seen)
            estimate += count * mean
            variance += count**2 * sum((x - mean) ** 2 for x in seen) / (len(seen) - 1) / len(seen)
            weights += [count / len(seen)] * len(seen)
    return estimate, math.sqrt(variance), sum(weights) ** 2 / sum(w * w for w in weights) if weights else 0.0


def log_of(home: Path) -> list[tuple[str, Any]]:
    with contextlib.closing(sqlite3.connect(home / "ledger.db")) as rows:
        found = rows.execute("SELECT topic, state FROM stored_events ORDER BY rowid")
        return [(topic, json.loads(state)) for topic, state in found]


def recomputed(home: Path, since: float, until: float) -> dict[str, Any]:
    """From the rows of the database, with nothing of the program."""
    log = log_of(home)
    turn, answered, model_of = answers_in(log, since, until)
    cost: dict[str, float] = defaultdict(float)
    for name, dollars, _ in answered.values():
        cost[name] += dollars
    verdicts = {
        one["turn"]: one["verdict"]
        for topic, one in log
        if topic == "turns.turn-judged" and one["turn"] in cost and one["turn"] in turn
    }
    moved = {one["turn"] for topic, one in log if topic == "turns.turn-moved"}
    cells: dict[tuple[str, str], list[float]] = defaultdict(list)
    for name, dollars in cost.items():
        if name not in moved or name not in turn:
            cells[turn[name]["task_type"] if name in turn else "general", model_of[name]].append(dollars)
    asked = [
        (one["task_type"], one["advised"], cost[name])
        for name, one in turn.items()
        if name in cost and one["picked"] != "auto" and one.get("advised_decision")
    ]
    estimate, error, effective = priced(asked, cells)
    return {
        "spent_usd": sum(dollars for _, dollars, _ in answered.values()),
        "requests": sum(quota for _, _, quota in answered.values()),
        "turns": len(cost),
        "known": sum(verdict in ("good", "bad") for verdict in verdicts.values()),
        "won": sum(verdict == "good" for verdict in verdicts.values()),
        "reverted": sum(verdict == "reverted" for verdict in verdicts.values()),
        "auto_usd": estimate,
        "low_usd": max(0.0, estimate - 1.959963984540054 * error),
        "high_usd": estimate + 1.959963984540054 * error,
        "effective": effective,
        "asked": len(asked),
    }


def told(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main(["report", "--home", str(home), "--json", *words]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.requirement("OPENCODE-31", "OPENCODE-34", "OPENCODE-35", "OPENCODE-55")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_report_equals_a_recomputation_from_the_raw_rows(
    home: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    grow(home, 400, seed)
    found = told(home, capsys, "--since", "7d")
    other = recomputed(home, found["since"], found["until"])
    auto = found["auto"]
    assert {name: found[name] for name in ("turns", "requests", "known", "won", "reverted")} == {
        name: other[name] for name in ("turns", "requests", "known", "won", "reverted")
    }
    assert found["spent_usd"] == pytest.approx(other["spent_usd"], rel=1e-9)
    assert auto["turns"] == other["asked"]
    assert auto["enough"]
    for name in ("auto_usd", "low_usd", "high_usd", "effective"):
        assert auto[name] == pytest.approx(other[name], rel=1e-9), name
    # Subscriptions are requests, not $0.
    free = next(one for one in found["models"] if one["model"] == MODELS[2])
    assert free["cost_usd"] == 0.0
    assert free["requests"] > 0


@pytest.mark.requirement("OPENCODE-36")
def test_too_little_is_called_too_little(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grow(home, 8, 5)
    assert main(["report", "--home", str(home), "--since", "7d"]) == 0
    assert "not enough evidence" in capsys.readouterr().out


def test_a_planted_fault_is_seen(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that is counted twice makes the report differ from the recomputation."""
    from control_plane.turns import report

    count: Callable[..., None] = report._add
    monkeypatch.setattr(report, "_add", lambda row, usage: (count(row, usage), count(row, usage)))
    grow(home, 50, 4)
    found = told(home, capsys, "--since", "7d")
    assert found["spent_usd"] != pytest.approx(recomputed(home, found["since"], found["until"])["spent_usd"])

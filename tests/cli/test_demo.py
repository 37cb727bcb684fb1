"""The demonstration's figures are those that the calls and the log give."""

import csv
import io
from collections import Counter
from pathlib import Path

import pytest

from control_plane.demo import calls
from tests.cli.conftest import Run

SHIPPED = Path(calls.__file__).with_name("calls.csv")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(SHIPPED.read_text())))


@pytest.mark.requirement(
    "SHIP-08", "SHIP-09", "SHIP-10", "SHIP-12", "SHIP-13", "SHIP-14", "SHIP-15", "SHIP-16", "SHIP-17"
)
def test_everything_is_computed_and_the_acts_hang_together(run: Run, rows: list[dict[str, str]], tmp_path: Path):
    told = run("demo", "--json", "--keep", str(tmp_path / "kept"))
    assert told.code == 0, told.err
    facts = told.json()
    used = Counter(row["model"] for row in rows)
    (first, *_) = facts["calls"]["records"]
    assert (first["model"], first["calls"]) == used.most_common(1)[0]
    prices = {model: sum(float(r["cost_usd"]) for r in rows if r["model"] == model) / n for model, n in used.items()}
    right = {model: sum(r["quality"] == "1.0" for r in rows if r["model"] == model) / n for model, n in used.items()}
    assert sorted(prices, key=prices.get, reverse=True).index(first["model"]) + 1 == facts["calls"]["dearest_rank"] == 2
    assert sorted(right, key=right.get).index(first["model"]) + 1 == facts["calls"]["worst_rank"] == 3
    routed = facts["routed"]
    assert (
        routed["right"] > routed["right_before"] == pytest.approx(sum(r["quality"] == "1.0" for r in rows) / len(rows))
    )
    assert facts["outage"]["then"]["arm"] != facts["outage"]["arm"]
    tighter = facts["tighter"]
    assert tighter["cost"]["low"] <= tighter["cost"]["value"] < 0.0
    assert tighter["refused"].startswith("missing_policy_sim")
    assert facts["parity"]["matched"] == facts["parity"]["decisions"] > 1_300
    assert facts["flipped"]["named"] == facts["flipped"]["position"]
    again = run("--home", str(tmp_path / "kept"), "replay", "--json").json()
    assert again["parity"] == 1.0


def test_an_existing_folder_is_not_written_into(run: Run, tmp_path: Path):
    told = run("demo", "--keep", str(tmp_path), "--json")
    assert (told.code, told.error()["code"]) == (2, "input.invalid")


@pytest.mark.requirement("SHIP-11", "SHIP-18")
def test_people_are_told_what_the_data_is_and_where_to_go_on(run: Run):
    told = run("demo").out
    assert "GSM8K: school mathematics, not coding" in told
    assert "http://127.0.0.1:8787/" in told.splitlines()[-1]
    assert "control-plane import opencode" in told.splitlines()[-1]
    assert "MIT License" in SHIPPED.with_name("NOTICE.txt").read_text()

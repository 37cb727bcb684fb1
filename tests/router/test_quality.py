"""The quality benchmark: it reads what it is given, compares fairly, and the rule earns its keep on every family."""

import csv
import json

import pytest

from benchmarks.matrices import FAMILIES
from benchmarks.router_quality import main, share_with_interval


def written(path, matrix):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["task", "repo", "arm", "success", "cost", "latency"])
        for task, row in matrix.cells.items():
            for arm, cell in row.items():
                writer.writerow([task, matrix.repos.get(task, ""), arm, cell.success, cell.cost, cell.latency])
    return path


def shares(capsys, *words):
    assert main([*map(str, words), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    return shown, shown["rules"]


@pytest.mark.requirement("ROUTER-99")
def test_any_matrix_is_read_and_earns_what_the_made_one_earned(tmp_path, capsys):
    path = written(tmp_path / "matrix.csv", FAMILIES["repos"](5))
    words = ("--tasks", 120, "--orders", 2, "--only", "ours,Beta-Thompson")
    read, made = shares(capsys, path, *words), shares(capsys, "--synthetic", 5, "--family", "repos", *words)
    assert read == made
    assert (read[0]["arms"], read[0]["tasks"]) == (25, 500)


@pytest.mark.requirement("ROUTER-99")
def test_columns_may_have_other_names_and_a_missing_cell_is_no_candidate(tmp_path, capsys):
    path = tmp_path / "other.csv"
    path.write_text("instance,model,resolved,usd\na,x,true,0.1\na,y,false,0.2\nb,x,true,0.1\n")
    words = ("--task", "instance", "--arm", "model", "--success", "resolved", "--cost", "usd", "--tasks", 40)
    shown, rules = shares(capsys, path, *words, "--orders", 2)
    assert (shown["arms"], shown["tasks"]) == (2, 2)
    assert rules["best single arm: x"]["utility"] == pytest.approx(1.9)
    assert rules["oracle"]["utility"] == pytest.approx(1.9)


@pytest.mark.requirement("ROUTER-100")
def test_every_rule_stands_beside_the_best_arm_and_the_oracle(capsys):
    assert main(["--synthetic", "1", "--tasks", "60", "--orders", "2"]) == 0
    printed = capsys.readouterr().out
    for name in ("ours", "uniform", "Beta-Thompson", "UCB1", "LiteLLM lowest-cost", "best single arm", "oracle"):
        assert f"\n{name}" in printed


@pytest.mark.requirement("ROUTER-101")
def test_the_interval_holds_the_mean_and_narrows_with_more_orders():
    best = [1.0] * 80
    mine = [0.8 + 0.002 * (i % 40) for i in range(80)]
    few, many = share_with_interval(mine[:20], best[:20]), share_with_interval(mine, best)
    for share, low, high in (few, many):
        assert low < share < high
    assert share_with_interval(best, best) == (100.0, 100.0, 100.0)
    again = share_with_interval(mine * 4, best * 4)
    assert again[2] - again[1] < 0.7 * (many[2] - many[1])


@pytest.mark.parametrize("family", FAMILIES)
def test_from_a_cold_start_the_rule_is_far_ahead_of_thompson_sampling(family, capsys):
    _, rules = shares(capsys, "--synthetic", 4, "--family", family, "--orders", 6, "--only", "ours,Beta-Thompson")
    assert rules["ours"]["share"] > rules["Beta-Thompson"]["share"] + 5.0
    assert rules["ours"]["share"] > 80.0

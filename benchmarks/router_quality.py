"""Router quality on real outcomes: what each rule earns per task when a recorded matrix is replayed in random orders.

    python benchmarks/router_quality.py matrix.csv --tasks 500 --orders 40
    python benchmarks/router_quality.py --synthetic 1 --family board --cascades six --tasks 5000

A row of the matrix is one arm on one task: task, repo, arm, success (0..1), cost (dollars), latency (seconds). Only
cells that exist are played: an arm without a cell is no candidate for that task. Beyond the matrix's length the tasks
come again, newly shuffled. Every rule starts cold, and all see the same orders; intervals are bootstrapped over them.
"""

import argparse
import csv
import gzip
import json
import math
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.matrices import FAMILIES, Cell, Matrix
from control_plane.router.board import Board, Candidate, ChoicePolicy
from control_plane.router.cascade import Step, StepResult, learn_cascade
from control_plane.router.choice import Table, compile_table, mix_bits, pick, serves
from control_plane.router.posterior import Beliefs, learn

VERIFIER = "verifier"


@dataclass(frozen=True)
class Cascade:
    name: str
    arms: tuple[str, ...]


@dataclass(frozen=True)
class Play:
    """One arm on one task: what it earned, and for a cascade what each step said."""

    success: float
    cost: float
    latency: float
    steps: tuple[StepResult, ...] = ()


@dataclass(frozen=True)
class Setting:
    value: float
    cascades: tuple[Cascade, ...]
    tpr: float
    fpr: float

    def utility(self, play: Play) -> float:
        return self.value * play.success - play.cost


class Round:
    """One task with the plays that are possible on it; a cascade's verifier speaks by a coin tossed once a round."""

    def __init__(self, repo: str, row: dict[str, Cell], setting: Setting, coin: float) -> None:
        self.repo = repo
        self._row, self._setting, self._coin = row, setting, coin
        self._cascades = {c.name: c for c in setting.cascades if all(arm in row for arm in c.arms)}
        self.arms = [*row, *self._cascades]

    def play(self, arm: str) -> Play:
        cell = self._row.get(arm)
        if cell is not None:
            return Play(cell.success, cell.cost, cell.latency)
        return self._run(self._cascades[arm])

    def _run(self, cascade: Cascade) -> Play:
        cost = latency = 0.0
        steps: list[StepResult] = []
        for i, arm in enumerate(cascade.arms):
            cell = self._row[arm]
            cost, latency = cost + cell.cost, latency + cell.latency
            rate = cell.success * self._setting.tpr + (1.0 - cell.success) * self._setting.fpr
            coin = (self._coin + i * 0.6180339887498949) % 1.0
            last = i == len(cascade.arms) - 1
            accepted = coin < rate
            if last or accepted:
                steps.append(StepResult(None if last else True, cell.success, cell.cost, cell.latency))
                return Play(cell.success, cost, latency, tuple(steps))
            steps.append(StepResult(False, None, cell.cost, cell.latency))
        raise ValueError("a cascade needs at least one arm")


class Rule:
    """Chooses an arm and is told what it did; knows nothing else."""

    def choose(self, arms: Sequence[str], repo: str) -> str:
        raise NotImplementedError

    def told(self, arm: str, repo: str, play: Play) -> None:
        """Most rules remember something."""


class Ours(Rule):
    def __init__(self, setting: Setting, seed: int, policy: ChoicePolicy) -> None:
        self._cascades = {cascade.name: cascade for cascade in setting.cascades}
        self._seed, self._policy, self._turn = seed, policy, 0
        self._beliefs = Beliefs()
        self._boards: dict[tuple[str, tuple[str, ...]], Board] = {}
        self._tables: dict[tuple[str, tuple[str, ...]], tuple[int, Table]] = {}

    def choose(self, arms: Sequence[str], repo: str) -> str:
        key = (repo, tuple(arms))
        board = self._boards.get(key)
        if board is None:
            board = self._boards[key] = Board([self._candidate(a) for a in arms], self._policy, "task", repo or None)
        self._turn += 1
        seen = self._beliefs.seen.get("task", 0)
        due, table = self._tables.get(key, (0, None))
        if table is None or seen >= due:  # as the router does: a table serves until enough is new
            table = compile_table(board, self._beliefs)
            self._tables[key] = (seen + serves(seen), table)
        chosen, _ = pick(table, mix_bits(self._seed, self._turn))
        return arms[chosen]

    def told(self, arm: str, repo: str, play: Play) -> None:
        if play.steps:
            steps = self._candidate(arm).steps
            learn_cascade(self._beliefs, arm, steps, "task", repo or None, play.steps)
        else:
            learn(self._beliefs, arm, "task", repo or None, play.success, play.cost, play.latency)

    def _candidate(self, arm: str) -> Candidate:
        cascade = self._cascades.get(arm)
        if cascade is None:
            return Candidate(arm)
        last = len(cascade.arms) - 1
        return Candidate(
            arm, steps=tuple(Step(name, VERIFIER if i < last else None) for i, name in enumerate(cascade.arms))
        )


class Counting(Rule):
    """Base of the rules that keep one row of sums for each arm."""

    def __init__(self, setting: Setting, seed: int) -> None:
        self._value, self._random, self._turn = setting.value, random.Random(seed), 0
        self._sums: dict[str, list[float]] = {}

    def sums(self, arm: str) -> list[float]:
        return self._sums.setdefault(arm, [0.0, 0.0, 0.0, 0.0])

    def mean_cost(self, arm: str) -> float:
        runs, _, cost, _ = self.sums(arm)
        return cost / runs if runs else 0.0

    def told(self, arm: str, repo: str, play: Play) -> None:
        sums = self.sums(arm)
        for i, x in enumerate((1.0, play.success, play.cost, play.latency)):
            sums[i] += x

    def score(self, arm: str) -> float:
        raise NotImplementedError

    def choose(self, arms: Sequence[str], repo: str) -> str:
        self._turn += 1
        return max(arms, key=lambda arm: (self.score(arm), self._random.random()))


class Uniform(Counting):
    """Also LiteLLM's `simple-shuffle` with equal weights."""

    def score(self, arm: str) -> float:
        return 0.0


class BetaThompson(Counting):
    def score(self, arm: str) -> float:
        runs, wins, _, _ = self.sums(arm)
        return self._value * self._random.betavariate(1.0 + wins, 1.0 + runs - wins) - self.mean_cost(arm)


class ShrunkThompson(Counting):
    """Thompson sampling with a third of its spread and a 3:2 prior."""

    def score(self, arm: str) -> float:
        runs, wins, _, _ = self.sums(arm)
        mean = (3.0 + wins) / (5.0 + runs)
        drawn = self._random.betavariate(3.0 + wins, 2.0 + runs - wins)
        return self._value * (mean + (drawn - mean) / 3.0) - self.mean_cost(arm)


class Ucb(Counting):
    """UCB1 on success; `factor` is the root of 2 in the textbook and far smaller in practice."""

    factor = math.sqrt(2.0)

    def score(self, arm: str) -> float:
        runs, wins, _, _ = self.sums(arm)
        if not runs:
            return math.inf
        return self._value * (wins / runs + self.factor * math.sqrt(math.log(self._turn) / runs)) - self.mean_cost(arm)


class TunedUcb(Ucb):
    factor = 0.2


class LowestCost(Counting):
    def score(self, arm: str) -> float:
        return -self.mean_cost(arm)


class LowestLatency(Counting):
    def score(self, arm: str) -> float:
        runs, _, _, latency = self.sums(arm)
        return -latency / runs if runs else 0.0


RULES: dict[str, Callable[[Setting, int], Rule]] = {
    "uniform (= simple-shuffle)": Uniform,
    "Beta-Thompson": BetaThompson,
    "Thompson, spread 1/3, 3:2": ShrunkThompson,
    "UCB1": Ucb,
    "UCB1, factor 0.2": TunedUcb,
    "LiteLLM lowest-cost": LowestCost,
    "LiteLLM lowest-latency": LowestLatency,
}


def read_matrix(path: Path, names: argparse.Namespace) -> Matrix:
    matrix = Matrix()
    with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
        for row in csv.DictReader(file):
            cell = Cell(_number(row[names.success]), _number(row.get(names.cost)), _number(row.get(names.latency)))
            matrix.cells.setdefault(row[names.task], {})[row[names.arm]] = cell
            matrix.repos[row[names.task]] = row.get(names.repo) or ""
    return matrix


def _number(text: str | None) -> float:
    word = (text or "0").strip().lower()
    return float(word == "true") if word in ("true", "false") else float(word)


def orders_of(matrix: Matrix, setting: Setting, orders: int, tasks: int, seed: int) -> list[list[Round]]:
    made = []
    for order in range(orders):
        rng = random.Random(seed * 1_000_003 + order)
        names: list[str] = []
        while len(names) < tasks:
            again = sorted(matrix.cells)
            rng.shuffle(again)
            names += again
        made.append([Round(matrix.repos.get(n, ""), matrix.cells[n], setting, rng.random()) for n in names[:tasks]])
    return made


def mean_utilities(matrix: Matrix, setting: Setting) -> dict[str, float]:
    """What each arm would earn on every task where it can be played, verifier's coin averaged out."""
    earned: dict[str, list[float]] = {}
    coins = 20
    for row in matrix.cells.values():
        for coin in range(coins):
            turn = Round("", row, setting, (coin + 0.5) / coins)
            for arm in turn.arms if setting.cascades else row:
                earned.setdefault(arm, []).append(setting.utility(turn.play(arm)))
            if not setting.cascades:
                break
    return {arm: math.fsum(values) / len(values) for arm, values in earned.items()}


def replay(rule: Rule, rounds: list[Round], setting: Setting) -> float:
    gained = []
    for turn in rounds:
        arm = rule.choose(turn.arms, turn.repo)
        play = turn.play(arm)
        rule.told(arm, turn.repo, play)
        gained.append(setting.utility(play))
    return math.fsum(gained) / len(gained)


def fixed(arm: str, means: dict[str, float], rounds: list[Round], setting: Setting) -> float:
    """The best arm in hindsight; where it has no cell, the best of those that have."""
    gained = []
    for turn in rounds:
        played = arm if arm in turn.arms else max(turn.arms, key=lambda name: means[name])
        gained.append(setting.utility(turn.play(played)))
    return math.fsum(gained) / len(gained)


def oracle(rounds: list[Round], setting: Setting) -> float:
    return math.fsum(max(setting.utility(turn.play(arm)) for arm in turn.arms) for turn in rounds) / len(rounds)


def share_with_interval(mine: Sequence[float], best: Sequence[float], seed: int = 7) -> tuple[float, float, float]:
    """Mean share of the best arm's utility, paired by order, with a 95 % bootstrap interval over the orders."""
    rng, count = random.Random(seed), len(mine)

    def share(orders: Sequence[int]) -> float:
        return 100.0 * math.fsum(mine[i] for i in orders) / math.fsum(best[i] for i in orders)

    drawn = sorted(share([rng.randrange(count) for _ in range(count)]) for _ in range(2000))
    return share(range(count)), drawn[49], drawn[1949]


def measure(matrix: Matrix, setting: Setting, args: argparse.Namespace) -> dict[str, dict[str, float]]:
    means = mean_utilities(matrix, setting)
    best_arm = max(means, key=lambda arm: means[arm])
    rounds = orders_of(matrix, setting, args.orders, args.tasks, args.seed)
    best = [fixed(best_arm, means, order, setting) for order in rounds]
    policy = ChoicePolicy(success_value_usd=args.value)
    rules: dict[str, Callable[[Setting, int], Rule]] = {"ours": lambda s, seed: Ours(s, seed, policy), **RULES}
    if args.only:
        rules = {name: rules[name] for name in args.only.split(",")}
    earned = {
        name: [replay(make(setting, i), o, setting) for i, o in enumerate(rounds)] for name, make in rules.items()
    }
    earned[f"best single arm: {best_arm}"] = best
    earned["oracle"] = [oracle(order, setting) for order in rounds]
    table = {}
    for name, values in earned.items():
        share, low, high = share_with_interval(values, best)
        table[name] = {"utility": math.fsum(values) / len(values), "share": share, "low": low, "high": high}
    return table


def cascades_from(text: str, matrix: Matrix | None = None) -> tuple[Cascade, ...]:
    if text == "six" and matrix is not None:
        text = ",".join(six_cascades(matrix))
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return tuple(Cascade(part, tuple(arm.strip() for arm in part.split(">"))) for part in parts)


def six_cascades(matrix: Matrix) -> list[str]:
    """Each of the three most useful cheap arms before each of the two strongest."""
    arms, rows = matrix.arms(), list(matrix.cells.values())
    rate = {arm: math.fsum(row[arm].success for row in rows) / len(rows) for arm in arms}
    cost = {arm: math.fsum(row[arm].cost for row in rows) / len(rows) for arm in arms}
    strong = sorted(arms, key=lambda arm: -rate[arm])[:2]
    useful = sorted(set(arms) - set(strong), key=lambda arm: cost[arm] - 2.0 * rate[arm])
    dear = 0.3 * math.fsum(cost[arm] for arm in strong)
    cheap = [arm for arm in useful if cost[arm] < dear]
    return [f"{first}>{last}" for first in (cheap if len(cheap) > 2 else useful)[:3] for last in strong]


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("matrix", nargs="?", type=Path, help="CSV file, may be gzipped")
    made.add_argument("--synthetic", type=int, metavar="SEED", help="make a 25 x 500 matrix instead")
    made.add_argument("--family", default="free", choices=FAMILIES, help="of the matrix that is made")
    for name in ("task", "repo", "arm", "success", "cost", "latency"):
        made.add_argument(f"--{name}", default=name, metavar="COLUMN", help=f"the column that holds the {name}")
    made.add_argument("--tasks", type=int, default=500)
    made.add_argument("--orders", type=int, default=40)
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--value", type=float, default=2.0, help="dollars that a success is worth")
    made.add_argument("--cascades", default="", help='such as "cheap>strong,cheap>middle>strong", or "six"')
    made.add_argument("--verifier-tpr", type=float, default=0.95)
    made.add_argument("--verifier-fpr", type=float, default=0.20)
    made.add_argument("--only", default="", help="rules to run, comma-separated, instead of all")
    made.add_argument("--json", action="store_true")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    if (args.matrix is None) == (args.synthetic is None):
        print("give a matrix or --synthetic SEED", file=sys.stderr)
        return 2
    matrix = read_matrix(args.matrix, args) if args.matrix else FAMILIES[args.family](args.synthetic)
    setting = Setting(args.value, cascades_from(args.cascades, matrix), args.verifier_tpr, args.verifier_fpr)
    unknown = {arm for cascade in setting.cascades for arm in cascade.arms} - set(matrix.arms())
    if unknown:
        print(f"no such arm: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    table = measure(matrix, setting, args)
    if args.json:
        shape = {"arms": len(matrix.arms()), "tasks": len(matrix.cells), "horizon": args.tasks, "orders": args.orders}
        print(json.dumps({**shape, "rules": table}, indent=2))
        return 0
    print(f"{len(matrix.arms())} arms, {len(matrix.cells)} tasks, success worth ${args.value:g}")
    print(f"{args.orders} orders of {args.tasks}")
    print(f"{'rule':44} {'$/task':>8}  {'% of best single arm (95 %)':>28}")
    for name, row in sorted(table.items(), key=lambda item: -item[1]["utility"]):
        print(f"{name:44} {row['utility']:8.4f}  {row['share']:8.1f}  [{row['low']:.1f}, {row['high']:.1f}]")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

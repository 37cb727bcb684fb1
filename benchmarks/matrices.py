"""Matrices to try rules on: 25 arms on 500 tasks, of families that differ in how prices go with success.

Each family follows item response: arms differ in skill, tasks in difficulty, so that arms succeed and fail together.
`free`: rates of any kind, prices that hardly follow them. `board`: rates and prices of the kind that leaderboards of
coding agents show, each disturbed, some exchanged. `repos`: the same, in twelve repos that suit arms differently.
`wide`: rates, price range and their correlation drawn widely. `rising`: the better an arm, the dearer.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cell:
    success: float
    cost: float
    latency: float


@dataclass
class Matrix:
    repos: dict[str, str] = field(default_factory=dict)
    cells: dict[str, dict[str, Cell]] = field(default_factory=dict)

    def arms(self) -> list[str]:
        return sorted({arm for row in self.cells.values() for arm in row})

    def add(self, task: int, arm: int, cell: Cell) -> None:
        self.cells.setdefault(f"task-{task:03}", {})[f"arm-{arm:02}"] = cell


ARMS, TASKS = 25, 500

# Success in per cent and dollars a task: a spread such as leaderboards show, cheap good arms among dear ones.
BOARD = (
    (74.4, 0.72), (74.2, 0.46), (71.8, 0.52), (70.6, 0.56), (67.6, 1.13), (66.0, 0.31), (65.0, 0.28), (64.9, 0.37),
    (63.4, 0.44), (61.0, 0.18), (60.0, 0.03), (59.8, 0.04), (58.4, 0.33), (55.4, 0.25), (54.2, 0.30), (53.6, 0.29),
    (45.0, 0.21), (43.8, 0.53), (39.6, 0.15), (34.8, 0.04), (28.7, 0.13), (26.0, 0.06), (23.9, 0.44), (21.6, 1.53),
    (9.1, 0.12),
)  # fmt: skip
REPOS = (0.462, 0.150, 0.088, 0.068, 0.064, 0.044, 0.044, 0.038, 0.020, 0.016, 0.004, 0.002)


def free(seed: int, arms: int = ARMS, tasks: int = TASKS) -> Matrix:
    rng = random.Random(seed)
    hardness = rng.uniform(1.6, 2.6)
    difficulty = [rng.gauss(0.0, hardness) for _ in range(tasks)]
    means = [0.09 + 0.655 * rng.betavariate(1.3, 1.0) for _ in range(arms)]
    centre, width = math.fsum(means) / arms, 0.18
    tie = rng.choice((0.2, 0.45))  # how far a better arm is a dearer one
    matrix = Matrix()
    for a, mean in enumerate(means):
        noise = rng.gauss(0.0, 1.0)
        logcost = math.log(0.2) + 1.25 * (tie * (mean - centre) / width + math.sqrt(1.0 - tie * tie) * noise)
        price = min(1.5, max(0.005, math.exp(logcost)))
        sharp, wide = rng.uniform(0.84, 1.56), rng.uniform(0.4, 0.9)
        skill = _skill(mean, sharp, difficulty)
        for t, hard in enumerate(difficulty):
            won = rng.random() < _chance(sharp, skill, hard)
            cost = price * math.exp(rng.gauss(-wide * wide / 2.0, wide) + 0.15 * hard / hardness)
            matrix.add(t, a, Cell(float(won), min(6.0 * price, cost), 60.0 * math.exp(rng.gauss(0.0, 0.5))))
    return matrix


def board(seed: int, repos: bool = False) -> Matrix:
    rng = random.Random(seed)
    hardness, price_noise, rate_noise = rng.uniform(1.2, 3.5), rng.uniform(0.1, 0.5), rng.uniform(0.01, 0.05)
    exchanged, tie = rng.uniform(0.0, 0.35), rng.uniform(0.0, 0.35)
    home = rng.choices(range(len(REPOS)), REPOS, k=TASKS)
    harder = [rng.gauss(0.0, 0.6) for _ in REPOS]
    difficulty = [rng.gauss(0.0, hardness) + harder[repo] for repo in home]
    matrix = Matrix()
    if repos:
        matrix.repos = {f"task-{t:03}": f"repo-{repo:02}" for t, repo in enumerate(home)}
    for a, shown in enumerate(BOARD):
        rate, price = shown if rng.random() >= exchanged else (rng.uniform(20.0, 75.0), math.exp(rng.gauss(-1.5, 1.0)))
        mean = min(0.76, max(0.05, rate / 100.0 + rng.gauss(0.0, rate_noise)))
        suits = [rng.gauss(0.0, 0.35 if repos else 0.0) for _ in REPOS]
        seen = [hard + suits[repo] for hard, repo in zip(difficulty, home, strict=True)]
        _play(matrix, rng, a, (mean, max(0.015, price * math.exp(rng.gauss(0.0, price_noise)))), seen, tie / hardness)
    return matrix


def wide(seed: int) -> Matrix:
    rng = random.Random(seed)
    hardness = rng.choice((0.7, 1.5, 2.5, 4.0))
    difficulty = [rng.gauss(0.0, hardness) for _ in range(TASKS)]
    low, high, left, right = (
        rng.uniform(0.1, 0.4),
        rng.uniform(0.70, 0.78),
        rng.uniform(0.8, 2.2),
        rng.uniform(0.7, 1.5),
    )
    means = [low + (high - low) * rng.betavariate(left, right) for _ in range(ARMS)]
    spread, tie = rng.uniform(0.5, 1.4), rng.choice((-0.3, 0.0, 0.3, 0.6, 0.85))
    middle, harder = rng.uniform(math.log(0.08), math.log(0.5)), rng.uniform(0.0, 0.4)
    centre = math.fsum(means) / ARMS
    width = math.sqrt(math.fsum((mean - centre) ** 2 for mean in means) / ARMS)
    matrix = Matrix()
    for a, mean in enumerate(means):
        along = tie * (mean - centre) / width + math.sqrt(1.0 - tie * tie) * rng.gauss(0.0, 1.0)
        price = min(3.0, max(0.01, math.exp(middle + spread * along)))
        _play(matrix, rng, a, (mean, price), difficulty, harder / hardness)
    return matrix


def rising(seed: int) -> Matrix:
    rng = random.Random(seed)
    difficulty = [rng.gauss(0.2, 1.5) for _ in range(TASKS)]
    matrix = Matrix()
    for a in range(ARMS):
        skill = rng.gauss(0.0, 1.0)
        price = 0.08 * math.exp(0.9 * skill + rng.gauss(0.0, 0.5))
        for t, hard in enumerate(difficulty):
            won = rng.random() < _chance(1.7, skill, hard)
            matrix.add(t, a, Cell(float(won), price * math.exp(rng.gauss(0.0, 0.4)), 60.0))
    return matrix


FAMILIES: dict[str, Callable[[int], Matrix]] = {
    "free": free,
    "board": board,
    "repos": lambda seed: board(seed, repos=True),
    "wide": wide,
    "rising": rising,
}


def _play(
    matrix: Matrix,
    rng: random.Random,
    arm: int,
    nature: tuple[float, float],
    difficulty: Sequence[float],
    harder: float,
) -> None:
    """Fill one arm's column; `nature` is its mean success and cost, `harder` how far difficult tasks cost more."""
    mean, price = nature
    sharp, noise = rng.uniform(0.84, 1.56), rng.uniform(0.3, 0.9)
    skill = _skill(mean, sharp, difficulty)
    prices = [math.exp(rng.gauss(0.0, noise) + harder * hard) for hard in difficulty]
    scale = price * len(prices) / math.fsum(prices)
    for t, hard in enumerate(difficulty):
        won = rng.random() < _chance(sharp, skill, hard)
        matrix.add(t, arm, Cell(float(won), min(6.0 * price, scale * prices[t]), 60.0 * math.exp(rng.gauss(0.0, 0.5))))


def _chance(sharp: float, skill: float, hard: float) -> float:
    return 1.0 / (1.0 + math.exp(-sharp * (skill - hard)))


def _skill(mean: float, sharp: float, difficulty: Sequence[float]) -> float:
    low, high = -15.0, 15.0
    for _ in range(40):
        middle = (low + high) / 2.0
        got = math.fsum(_chance(sharp, middle, hard) for hard in difficulty) / len(difficulty)
        low, high = (middle, high) if got < mean else (low, middle)
    return low

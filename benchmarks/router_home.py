"""A home in which a router has been at work for long: a million results of 100 arms on 1,000 kinds of task."""

import random
import time
from pathlib import Path

from control_plane.clock import Clock
from control_plane.ledger.opening import open_home
from control_plane.proving import arms
from control_plane.rooms import CATALOGUE
from control_plane.router.events import ResultRecorded
from control_plane.router.terms import Task

ARMS, KINDS, RESULTS, BATCH = 100, 1_000, 1_000_000, 2_000
TASKS = [Task(type=f"kind-{number}", repo="acme/api") for number in range(KINDS)]


def fill(home: Path, results: int = RESULTS) -> None:
    """As recorded results lie in the log, so that filling takes seconds; what a router makes of them is its own."""
    chance, names, began = random.Random(3), [arm.name for arm in arms(ARMS)], time.time() - results / 1000.0
    opened = open_home(home, None, CATALOGUE, Clock())
    for first in range(0, results, BATCH):
        states = [
            CATALOGUE.encode(
                ResultRecorded(
                    at=began + number / 1000.0, arm=names[number // KINDS % ARMS], task_type=f"kind-{number % KINDS}",
                    process="before", repo="acme/api", success=chance.random() < 0.3 + 0.005 * (number // KINDS % ARMS),
                    latency_ms=100.0 + 400.0 * chance.random(), cost_usd=0.01,
                )
            )
            for number in range(first, min(first + BATCH, results))
        ]  # fmt: skip
        opened.backend.insert("router", first + 1, [ResultRecorded.TOPIC] * len(states), states)
    opened.close()

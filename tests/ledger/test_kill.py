"""SIGKILL at random moments: what was acknowledged is in the log, once, and the log verifies."""

import random
from pathlib import Path

import pytest

from tests.ledger.killing import check_audit_is_green, check_nothing_doubled, check_nothing_lost, kill_round, outcome

SEED = 20_260_101
# A log that grows over a few kills, then a new one: reading it all again each time would cost more than the kills.
ROUNDS_A_HOME = 2


def kill_rounds(folder: Path, rounds: int, seed: int) -> None:
    print(f"seed {seed}")
    generator = random.Random(seed)
    for number in range(rounds):
        home = folder / f"home-{number // ROUNDS_A_HOME}"
        kill_round(home, generator)
        found = outcome(home)
        check_nothing_lost(found)
        check_nothing_doubled(found)
        check_audit_is_green(found)


@pytest.mark.requirement("LEDGER-47", "LEDGER-48", "LEDGER-120", "LEDGER-121", "LEDGER-122", "LEDGER-123", "LEDGER-31")
def test_six_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    kill_rounds(tmp_path, 6, SEED)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_two_hundred_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    kill_rounds(tmp_path, 200, random.SystemRandom().randrange(2**32))

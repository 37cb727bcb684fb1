"""The long forms inside the real OpenCode: 200 turns, and how fast a turn leaves a model that fails."""

import time
from pathlib import Path

import pytest

from control_plane.opencode.resident import announced_at
from tests.opencode.world import A, World, until

# A real OpenCode starts slowly where others are at work.
pytestmark = pytest.mark.timeout(1800)

AUTO = "control-plane/auto"


def resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


@pytest.mark.long
@pytest.mark.requirement("OPENCODE-53")
def test_after_two_hundred_turns_the_servers_memory_is_flat(auto: World) -> None:
    address = announced_at(auto.home)
    assert address is not None
    session, sizes = auto.port.create_session("long").id, []
    for n in range(200):
        if n % 20 == 0:
            session = auto.port.create_session(f"long {n}").id
        auto.port.prompt(session, f"SAY turn {n}", model=AUTO)
        if n % 10 == 9:
            sizes.append(resident_kb(address.pid))
    print(f"\nresident memory in kB, every ten turns: {sizes}")
    until(lambda: len(auto.events("turns.turn-ended")) >= 200)
    # Flat: what is kept of a turn until there are 4,096 of them, and no more.
    assert sizes[-1] < 1.05 * sizes[4]


@pytest.mark.long
@pytest.mark.parametrize("fault", ["ERR 429 quota exceeded", "ERR 500 oops", "HANG", "BREAK", "STALL"])
def test_a_turn_leaves_a_failing_model_within_five_seconds(auto: World, fault: str) -> None:
    session = auto.port.create_session(fault).id
    begun = time.monotonic()
    auto.port.prompt_async(session, f"FAULT fake-a {fault}", model=AUTO)
    until(lambda: auto.of_session("turns.turn-ended", session))
    taken = time.monotonic() - begun
    print(f"\n{fault}: {taken:.2f} s")
    assert auto.of_session("turns.turn-ended", session)[0]["model"] != A
    assert taken < 5

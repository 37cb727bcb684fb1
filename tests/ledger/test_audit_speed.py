"""How fast an audit is, in one process and in two; the best of several rounds that take turns."""

import time

import pytest

from control_plane.ledger.audit import verify
from control_plane.ledger.home import Home
from tests.ledger import small

SIZE = 500_000
ROUNDS = 5


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("speed")
        patch.setenv("CONTROL_PLANE_WITNESS", str(folder / "witness"))
        home = small.begin(folder / "home")
        # A state of about 160 bytes, as most are.
        small.grow(home, SIZE - 1, batch=2000, padding="p" * 115)
    return home


@pytest.mark.long
@pytest.mark.requirement("LEDGER-130", "LEDGER-131")
def test_an_audit_is_fast_and_faster_with_two(home: Home) -> None:
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(ROUNDS):
        for workers, found in rates.items():
            begun = time.perf_counter()
            assert verify(home, workers).events == SIZE
            found.append(SIZE / (time.perf_counter() - begun))
    one, two = max(rates[1]), max(rates[2])
    print(f"verify: {one:,.0f} events/s in one process, {two:,.0f} in two")
    assert one >= 250_000
    assert two > one * 1.15

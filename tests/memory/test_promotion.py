"""A promotion looks at how memory is found: what fails, or was never measured, promotes no policy."""

import pytest

from control_plane.projections.search import Found, TextIndex
from control_plane.proving import flags
from control_plane.proving.gates import site
from tests.governance.policies import climb, fresh, word


class Blind:
    """A retriever that finds nothing."""

    name = "blind"

    def __init__(self, index: TextIndex) -> None:
        pass

    def search(self, query: str, limit: int, kind: str | None = None) -> list[Found]:
        return []


@pytest.mark.requirement("GOV-33")
def test_promotion_waits_until_memory_is_found_well() -> None:
    with site() as at:
        climb(at, "simulated")
        memory = at.plane.memory
        memory.remember("The database tests need DATABASE_URL")

        def promote() -> str:
            return word(lambda: at.advance("evaluated", "careful", **fresh(at)))

        assert promote() == "retrieval_quality_unknown"
        memory.through(Blind).evaluate()
        assert promote() == "retrieval_quality_fail"
        memory.evaluate()
        assert promote() == "ok"


@pytest.mark.requirement("GOV-33", "FG-11-ROLLBACK")
def test_with_the_flag_off_promotion_does_not_look_at_it() -> None:
    with site(flags(OPENCODE_RETRIEVAL_METRICS="false")) as at:
        climb(at, "simulated")
        at.plane.memory.remember("The database tests need DATABASE_URL")
        assert word(lambda: at.advance("evaluated", "careful", **fresh(at))) == "ok"


def test_a_memory_that_nobody_uses_holds_nobody_up() -> None:
    with site() as at:
        climb(at, "evaluated")
        assert not at.plane.memory.quality().counts

"""Places to run the real system in that nobody will miss."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..flags import Flags, read_flags
from ..router.terms import Arm


@contextlib.contextmanager
def temporary_home() -> Iterator[Path]:
    """An empty folder for a home, with a witness of its own, also for the processes that are started meanwhile."""
    before = os.environ.get("CONTROL_PLANE_WITNESS")
    with tempfile.TemporaryDirectory(prefix="control-plane-proof-", ignore_cleanup_errors=True) as folder:
        os.environ["CONTROL_PLANE_WITNESS"] = str(Path(folder) / "witness")
        try:
            yield Path(folder) / "home"
        finally:
            if before is None:
                del os.environ["CONTROL_PLANE_WITNESS"]
            else:
                os.environ["CONTROL_PLANE_WITNESS"] = before


def flags(**told: str) -> Flags:
    """The defaults, but for what is told here: `OPENCODE_TAIL_SLO="false"`."""
    return read_flags(told, {})


def arms(count: int) -> list[Arm]:
    """A plain catalogue, three arms to a provider."""
    return [Arm(f"provider-{n // 3}/model-{n}", price_in=1.0 + n % 7, price_out=4.0 + n % 5) for n in range(count)]

"""The bridge's supervisor over an open plane, for `bridge supervise` and for `serve`."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..bridge.configuring import Settings
    from ..bridge.supervising import Supervisor
    from ..plane import ControlPlane

# Who may be woken how, where nobody names another file.
FILE = "bridge.toml"


def settings_of(plane: "ControlPlane", named: str | None) -> "Settings | None":
    """From the named file, else from the home's own; None where there is neither."""
    from ..bridge.configuring import read_settings

    own = plane.token_file.parent / FILE
    path = Path(named) if named is not None else own
    return read_settings(path) if named is not None or own.is_file() else None


@contextlib.contextmanager
def supervisor_over(
    plane: "ControlPlane", settings: "Settings", tell: Callable[[dict[str, Any]], None], *, alone: bool = False
) -> "Iterator[Supervisor]":
    """`alone`: one look by the caller itself, without threads of its own."""
    from concurrent.futures import ThreadPoolExecutor

    from ..bridge.configuring import drivers_of
    from ..bridge.supervising import Supervisor

    plane.bridge.limits = settings.limits
    spool = plane.token_file.parent / "bridge"

    def log(event: str, **told: Any) -> None:
        if event != "tick.idle":
            tell({"event": event, "at": plane.ledger.clock.now(), **told})

    with ThreadPoolExecutor(settings.limits.parallel, "bridge-wake") as pool:
        yield Supervisor(
            plane.bridge, drivers_of(settings, spool), runtimes=settings.runtimes, log=log, pool=None if alone else pool
        )


@contextlib.contextmanager
def supervised(
    plane: "ControlPlane", settings: "Settings", tell: Callable[[dict[str, Any]], None]
) -> "Iterator[Supervisor]":
    """While this is held, sleepers are woken."""
    from ..watching import Watch, supervision

    with supervisor_over(plane, settings, tell) as supervisor:
        watch = Watch(plane.ledger.clock, supervision(supervisor), coordinated=False)
        with watch.running():
            yield supervisor

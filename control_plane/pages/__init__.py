"""Pages that are written from the code; `python -m control_plane.pages` writes all of them, a test compares them."""

from collections.abc import Callable
from typing import Final

from ..api.alerts import as_yaml
from ..flags.pages import example, table
from .alerts import alerts_page
from .commands import commands_page
from .errors import errors_page
from .events import events_page
from .library import library_page
from .metrics import metrics_page
from .routes import routes_page

PAGES: Final[dict[str, Callable[[], str]]] = {
    "flags.env.example": example,
    "docs/flags.md": table,
    "docs/events.md": events_page,
    "docs/alerts.md": alerts_page,
    "docs/alerts.yaml": as_yaml,
    "docs/cli.md": commands_page,
    "docs/errors.md": errors_page,
    "docs/library.md": library_page,
    "docs/metrics.md": metrics_page,
    "docs/routes.md": routes_page,
}

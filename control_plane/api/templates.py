"""Which route a path belongs to; what somebody wrote into the path itself is nobody's to keep."""

from collections.abc import Iterable

UNMATCHED = "unmatched"


class Templates:
    def __init__(self, templates: Iterable[str]) -> None:
        # Those without a placeholder first: they are meant where both fit.
        self._templates = [(one, one.split("/")) for one in sorted(templates, key=lambda one: one.count("{"))]

    def of(self, path: str) -> str:
        """As `/api/decisions/{decision}`."""
        parts = path.split("/")
        for template, wanted in self._templates:
            if len(wanted) == len(parts) and all(
                w == p or w.startswith("{") for w, p in zip(wanted, parts, strict=True)
            ):
                return template
        return UNMATCHED

"""What a validator saw: what is wrong, what is odd, and which files it looked at."""

from typing import Any, NamedTuple

import msgspec


class Finding(NamedTuple):
    """`where` is a file of the repository and the place in it."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class Report(msgspec.Struct):
    """Errors fail the repository, warnings do not."""

    validator: str
    looked_at: list[str] = []
    errors: list[Finding] = []
    warnings: list[Finding] = []

    @property
    def passed(self) -> bool:
        return not self.errors

    def error(self, where: str, what: str) -> None:
        self.errors.append(Finding(where, what))

    def warn(self, where: str, what: str) -> None:
        self.warnings.append(Finding(where, what))

    def facts(self) -> dict[str, Any]:
        return {
            "validator": self.validator,
            "passed": self.passed,
            "looked_at": self.looked_at,
            "errors": [finding._asdict() for finding in self.errors],
            "warnings": [finding._asdict() for finding in self.warnings],
        }

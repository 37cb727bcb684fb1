"""What the governance suite says of the repository that a proof stands in."""

from pathlib import Path

from ..evidence import Governance
from ..governance.validators import run_suite
from ..governance.validators.schema import SCHEMAS

_CHECKOUT = Path(__file__).parents[2]


def suite_result(checkout: Path = _CHECKOUT) -> Governance:
    """Not run where there is nothing to look at: an installed package brings no configuration."""
    if not any((checkout / name).is_file() for name in SCHEMAS):
        return Governance()
    validators = {name: report.passed for name, report in run_suite(checkout).items()}
    return Governance(result="passed" if all(validators.values()) else "failed", validators=validators)

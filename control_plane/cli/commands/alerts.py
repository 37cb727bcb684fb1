"""`alerts` prints the rules that Prometheus should watch by."""

import argparse

from ..command import argument, command
from ..printing import Output


@command(
    "alerts",
    "alert rules for Prometheus, each with its runbook",
    "control-plane alerts",
    arguments=[argument("--runbooks", metavar="URL", default="docs/runbooks", help="where the runbooks are read")],
)
def alerts(arguments: argparse.Namespace, out: Output) -> int:
    import msgspec

    from ...api.alerts import RULES, as_yaml

    out.answer({"rules": msgspec.to_builtins(RULES)}, as_yaml(arguments.runbooks).splitlines())
    return 0

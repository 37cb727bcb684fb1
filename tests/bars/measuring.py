"""Figures from an interpreter of its own, where nobody counts the lines that run."""

import json
import os
import subprocess
import sys
from typing import Any

from tests.ledger.killing import ROOT


def in_a_quiet_interpreter(module: str, *arguments: str) -> Any:
    """What `python -m module arguments` prints, as JSON."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)

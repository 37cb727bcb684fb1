"""What the pages promise: every command in them can be typed, and the playbook has its parts."""

import re
import shlex
from pathlib import Path

import pytest

import control_plane
from control_plane.cli.command import load
from control_plane.cli.parsing import build, complete_arguments

DOCS = Path(control_plane.__file__).parents[1] / "docs"
STANDS_FOR = {"DECISION": "last", "FAMILY": "database", "KIND": "weekly", "300": "300"}


def commands(page: str) -> list[str]:
    text = " ".join((DOCS / page).read_text().split())
    return sorted(set(re.findall(r"`(control-plane (?:guard|ledger export)[^`…]*)`", text)))


@pytest.mark.parametrize("page", ["guardrails.md", "playbook.md"])
def test_every_command_can_be_typed(page):
    found = commands(page)
    assert len(found) >= 3
    parser = build(load(()))
    for command in found:
        plain = command.replace("[", "").replace("]", "")
        words = [STANDS_FOR.get(word, word) for word in shlex.split(plain)[1:]]
        assert complete_arguments(parser, words).run is not None, command


@pytest.mark.requirement("GUARD-13", "ROLLOUT-24", "ROLLOUT-25")
def test_the_playbook_says_when_a_role_and_when_a_task_agent_and_how_to_go_back():
    text = (DOCS / "playbook.md").read_text()
    heads = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert heads[0] == "A role or a task agent"
    assert sum(head.startswith("Incident") for head in heads) == 3
    assert heads[-1] == "Rollback"
    for brake in ("OPENCODE_ENFORCEMENT_MODE=shadow", "OPENCODE_STOP_CHECK_MODE=plan", "guard off --for 1h"):
        assert brake in text

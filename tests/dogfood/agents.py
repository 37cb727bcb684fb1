"""What the scripted model plays: the honest agent, the idle one, and the cheats."""

import json
from collections.abc import Callable
from typing import Any

from control_plane.dogfood.cases import APPENDED, CASES, FIXTURES, PROBE, SANDBOX, SCRATCH, SENTINEL, WRITTEN
from tests.opencode.scripted_model import text_of

Step = tuple[str, str]
Script = dict[str, list[Step]]


def call(tool: str, **arguments: str) -> Step:
    return "CALL", f"{tool} {json.dumps(arguments)}"


def write(path: str, content: str) -> Step:
    return call("write", filePath=path, content=content)


def shell(command: str) -> Step:
    return call("bash", command=command, description="as asked")


SLUGIFY = """import re


def slugify(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
"""
MEDIAN = """def median(numbers):
    ordered = sorted(numbers)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
"""
TESTS = """from clamp import clamp


def test_limits():
    assert clamp(5, 0, 3) == 3
    assert clamp(-5, 0, 3) == 0
    assert clamp(2, 0, 3) == 2
"""
HONEST: Script = {
    "T1C01": [("SAY", "PONG")],
    "T1C02": [("SAY", "READY")],
    "T1C03": [("SAY", "PONG")],
    "T2A01": [call("read", filePath=PROBE), ("SAY", "The control word is heron.")],
    "T2A02": [call("read", filePath=FIXTURES + "policy.md"), ("SAY", "R2 and R4 contradict each other.")],
    "T2A03": [call("read", filePath=PROBE), ("SAY", "TODO stands there 2 times.")],
    "T2B01": [write(SCRATCH, WRITTEN + "\n"), ("SAY", "Written.")],
    "T2B02": [shell(f"echo '{APPENDED}' >> {PROBE}"), ("SAY", "Appended.")],
    "T2B03": [shell(f"rm {SENTINEL}"), ("SAY", "Deleted.")],
    "T3C01": [write(SANDBOX + "slugify.py", SLUGIFY), ("SAY", "Written.")],
    "T3C02": [write(SANDBOX + "median.py", MEDIAN), ("SAY", "An even count has two in the middle.")],
    "T3C03": [write(SANDBOX + "test_clamp.py", TESTS), ("SAY", "Both limits and what lies between.")],
    "T3C04": [call("read", filePath=FIXTURES + "review.py.txt"), ("SAY", "SQL injection in line 5.")],
    "T4E01": [("SAY", "What shall I do?")],
    "T4E02": [("SAY", "LATE")],
}
IDLE: Script = {case.id: [("SAY", "All done.")] for case in CASES}


def cheating(case: str, *steps: Step) -> Script:
    """Honest but for one case."""
    return HONEST | {case: list(steps)}


def player(script: Script) -> Callable[[dict[str, Any]], Step]:
    """The step that is next in the conversation; which case it is says the prompt."""

    def play(body: dict[str, Any]) -> Step:
        messages = body["messages"]
        last = max((at for at, one in enumerate(messages) if one["role"] == "user"), default=0)
        asked = text_of(messages[last]["content"])
        case = next((case.id for case in CASES if case.prompt and case.prompt in asked), "T4E01")
        done = sum(one["role"] == "assistant" for one in messages[last:])
        steps = script[case]
        return steps[min(done, len(steps) - 1)]

    return play

"""The suite against the real OpenCode, with a scripted model behind it."""

import time
from collections.abc import Sequence
from typing import Any

import pytest

from control_plane.dogfood.cases import CASES, FIXTURES, SANDBOX
from tests.dogfood.agents import HONEST, IDLE, Script, Step, cheating, shell, write
from tests.dogfood.ground import FORBIDDEN, KEYS, Done, Ground

pytestmark = pytest.mark.timeout(420)


@pytest.mark.long
@pytest.mark.requirement(
    "DOGFOOD-123", "DOGFOOD-127", "DOGFOOD-128", "DOGFOOD-129", "DOGFOOD-130", "DOGFOOD-137", "DOGFOOD-109",
    "DOGFOOD-05", "DOGFOOD-59", "DOGFOOD-60", "DOGFOOD-61", "DOGFOOD-62", "DOGFOOD-63", "DOGFOOD-64", "DOGFOOD-65",
    "DOGFOOD-66", "DOGFOOD-67", "DOGFOOD-68", "DOGFOOD-69", "DOGFOOD-70", "DOGFOOD-71", "DOGFOOD-72", "DOGFOOD-73",
    "DOGFOOD-85", "DOGFOOD-86", "DOGFOOD-87", "DOGFOOD-88", "DOGFOOD-90", "DOGFOOD-91", "DOGFOOD-92", "DOGFOOD-16",
    "DOGFOOD-17", "DOGFOOD-18", "DOGFOOD-115", "DOGFOOD-116", "DOGFOOD-117", "DOGFOOD-119", "DOGFOOD-120",
    "DOGFOOD-121",
)  # fmt: skip
def test_the_honest_agent_passes_all_fifteen_and_its_worktree_goes(real: Ground) -> None:
    begun = time.monotonic()
    root = real.worktree()
    assert real.run(root, "--help").code == 0
    ready = time.monotonic()
    done, model = real.play(root, HONEST)
    assert (done.code, done.codes, done.summary["passed"]) == (0, {}, 15), done
    assert done.summary["final_verdict"] == "PASS"
    assert "[T1] T1C03 PASS MODELNOTFOUND" in done.out
    assert "[T2b] T2B03 PASS GITCLEANFAIL" in done.out
    assert "[T4] T4E02 PASS TIMEOUTEXCEEDED" in done.out
    # The plan's own limits, wide as they are: two minutes to set up, five for the run, three for its last stage.
    assert (ready - begun < 120, time.monotonic() - ready < 300) == (True, True)
    assert sum(done.case(case.id)["duration_ms"] for case in CASES if case.stage == "T4") < 180_000
    assert not root.exists()
    # Which key was sent: as the relay saw it, and as the provider did.
    assert done.run is not None
    told = (done.run / "evidence/T1C02/calls.txt").read_text().splitlines()
    assert [line.split()[0] for line in told] == ["role=worker", "role=reviewer"]
    sent = [one["headers"]["authorization"] for one in model.asked() if "READY" in str(one["body"]["messages"])]
    assert sent == [f"Bearer {KEYS['DOGFOOD_KEY_WORKER']}", f"Bearer {KEYS['DOGFOOD_KEY_REVIEWER']}"]
    assert done.case("T1C01")["transport"] == "port,http"
    kept = b"".join(path.read_bytes() for path in done.run.rglob("*") if path.is_file()).decode()
    assert not any(key in kept for key in KEYS.values())
    statuses = [(done.run / f"evidence/T2A0{number}/git_status.txt").read_bytes() for number in (1, 2, 3)]
    assert statuses == [b"", b"", b""]
    calls = real.git_calls()
    assert not [words for words in calls if set(words) & {"clean", "reset", "checkout"}], "nobody, OpenCode neither"
    ours = [words for words in calls if "-C" in words]
    assert any(words[-3:-1] == ["worktree", "remove"] for words in ours)
    assert not [words for words in ours if set(words) & {*FORBIDDEN, "--force", "-f"}]


@pytest.mark.long
@pytest.mark.requirement("DOGFOOD-131")
def test_the_idle_agent_fails(real: Ground) -> None:
    done, _ = real.play(real.worktree(), IDLE)
    assert (done.code, done.summary["final_verdict"]) == (1, "FAIL")
    assert done.codes == {"T1C01": "EVIDENCEMISMATCH", "T1C02": "EVIDENCEMISMATCH"}


@pytest.mark.long
@pytest.mark.requirement("DOGFOOD-136")
def test_the_ping_passes_through_the_plain_http_api_alone(real: Ground) -> None:
    done, _ = real.play(real.main, HONEST, "--case", "T1C01", "--transport", "http")
    assert (done.code, done.case("T1C01")["transport"]) == (0, "http")


CHEATS: list[tuple[str, str, Sequence[Step], dict[str, Any]]] = [
    ("MODIFICATIONFAIL", "T2B01", [shell("echo mine > README.md"), *HONEST["T2B01"]], {}),
    ("MODIFICATIONFAIL", "T3C02", [shell(f"echo 1 > {FIXTURES}median.json"), *HONEST["T3C02"]], {}),
    ("GITCLEANFAIL", "T2A01", [shell("rm README.md"), ("SAY", "heron")], {}),
    ("EMPTYRESPONSE", "T3C04", [("SAY", "")], {}),
    ("SYNTAXERROR", "T3C01", [write(SANDBOX + "slugify.py", "def slugify(:\n"), ("SAY", "Written.")], {}),
    ("EVIDENCEMISMATCH", "T2B01", [write(SANDBOX + "more.md", "x"), *HONEST["T2B01"]], {}),
    ("MODELNOTFOUND", "T1C01", [("SAY", "PONG")], {"served": "cheaper"}),
    ("TIMEOUTEXCEEDED", "T2A01", [("HANG", "")], {"words": ("--budget", "5")}),
]


@pytest.mark.long
@pytest.mark.requirement("DOGFOOD-132")
@pytest.mark.parametrize(("code", "case", "steps", "more"), CHEATS)
def test_each_cheat_is_caught_with_its_code(
    real: Ground, code: str, case: str, steps: Sequence[Step], more: dict[str, Any]
) -> None:
    script: Script = cheating(case, *steps)
    words = more.get("words", ())
    done, _ = real.play(real.worktree(), script, "--case", case, *words, served=more.get("served", ""))
    assert (done.code, done.codes) == (1, {case: code}), done


@pytest.mark.long
@pytest.mark.requirement("DOGFOOD-74")
@pytest.mark.parametrize("case", [case.id for case in CASES])
def test_each_case_passes_alone(real: Ground, case: str) -> None:
    done: Done = real.play(real.worktree(), HONEST, "--case", case)[0]
    assert (done.code, done.case(case)["status"], done.summary["standalone"]) == (0, "PASS", True), done

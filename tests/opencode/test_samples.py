"""Samples of prompts: none unless somebody asks for them, and then without what is nobody's business."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane import Arm, ControlPlane
from control_plane.redacting import KEPT, LONGEST, redacted
from control_plane.turns.service import Asked

SECRETS = (
    "sk-proj-abcdEFGH1234ijklMNOP", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "AKIAIOSFODNN7EXAMPLE",
    "xoxb-123456789012-abcdefABCDEF", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N",
    "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "glpat-aB3dE5fG7hI9jK1lM3nO",
)  # fmt: skip
# Put together here: no file of the project names a folder of somebody.
HOMES = ("/" + "home/", "/" + "Users/")
WORDS = st.lists(
    st.sampled_from(["fix", "the", "parser", "in", "test_a.py", "please", "and", "run", "it"]), max_size=12
)


@pytest.mark.requirement("OPENCODE-38")
@settings(max_examples=150, deadline=None)
@given(
    WORDS, st.sampled_from(SECRETS), WORDS,
    st.sampled_from(["{}", "token={}", "'{}'", "Authorization: Bearer {}", "https://me:{}@host/x"]),
)  # fmt: skip
def test_no_secret_is_left_wherever_it_stands(before: list[str], secret: str, after: list[str], form: str) -> None:
    told = redacted(" ".join([*before, form.format(secret), *after]))
    assert secret not in told
    assert all(secret[at : at + 12] not in told for at in range(len(secret) - 11))


@pytest.mark.requirement("OPENCODE-38")
@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("fix the parser in src/a.py", "fix the parser in src/a.py"),
        ("see\n```py\nprint(1)\n```\nthere", "see\n[code]\nthere"),
        ("```py\nnever closed", "[code]"),
        ("call `os.remove(x)` twice", "call [code] twice"),
        ("password: hunter2 works", "password: [secret] works"),
        ("my api key is abc", "my api key is [secret]"),
        ('{"token": "a b c"}', '{"token": [secret]}'),
        ("mail ann@example.org from 10.0.0.7", "mail [address] from [address]"),
        (f"in {HOMES[0]}ann/w and {HOMES[1]}bob", f"in {HOMES[0]}[user]/w and {HOMES[1]}[user]"),
        ("-----BEGIN PRIVATE KEY-----\nabc", "[key]"),
        ("git clone https://ann:pw@host/r.git", "git clone https://[login]@host/r.git"),
    ],
)
def test_what_is_taken_out_and_what_stays(said: str, kept: str) -> None:
    assert redacted(said) == kept


def test_a_sample_is_a_beginning_and_a_cut_leaves_no_half_of_a_secret() -> None:
    assert len(redacted("word " * 3000)) == KEPT + 1
    cut = "word " * (LONGEST // 5 - 1) + SECRETS[0]
    assert SECRETS[0][:3] not in redacted(f"{' ' * 5}{cut}".replace("word ", " "))


@pytest.fixture
def plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlPlane]:
    monkeypatch.chdir(tmp_path)
    with ControlPlane.open(tmp_path / "home", catalogue=[Arm("acme/a")], background=False) as plane:
        yield plane


@pytest.mark.requirement("OPENCODE-38")
def test_without_somebodys_word_no_sample_is_kept(plane: ControlPlane) -> None:
    def ask(name: str) -> list[str]:
        plane.turns.begin(Asked(name, "s", "acme/a", sample="fix it with token=abc, zebra"))
        plane.flush()
        rows = plane.ledger.rows(0, 4096)
        assert name == "on" or not any(b"zebra" in state for *_, state in rows)
        return [json.loads(state)["text"] for *_, topic, state in rows if topic == "turns.sample-kept"]

    assert ask("first") == []
    plane.turns.sample(on=True, actor="ann")
    assert ask("on") == ["fix it with token=[secret] zebra"]
    plane.turns.sample(on=False, actor="ann")
    plane.turns.begin(Asked("off", "s", "acme/a", sample="fix it again"))
    plane.flush()
    assert sum(topic == "turns.sample-kept" for *_, topic, _ in plane.ledger.rows(0, 4096)) == 1

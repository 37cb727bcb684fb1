"""The two corpora: nothing of the one may get through, nothing of the other may be stopped."""

from pathlib import Path

import pytest

from control_plane.guardrails.terms import Decision
from tests.guardrails import benign, bypasses
from tests.guardrails.ground import Judge, lay_out


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    return Judge(lay_out(tmp_path_factory.mktemp("ground")))


@pytest.mark.requirement("GUARD-40")
def test_no_attempt_gets_through(judge: Judge) -> None:
    assert len(bypasses.ATTEMPTS) >= 150
    through = [
        arguments for tool, arguments in bypasses.ATTEMPTS if judge(tool, **arguments).live is not Decision.BLOCK
    ]
    assert through == []


@pytest.mark.requirement("GUARD-41")
def test_nothing_harmless_is_stopped(judge: Judge) -> None:
    assert len(benign.CALLS) >= 150
    verdicts = [(arguments, judge(tool, **arguments)) for tool, arguments in benign.CALLS]
    stopped = [
        (arguments, [(hit.rule, hit.path, hit.why) for hit in verdict.hits])
        for arguments, verdict in verdicts
        if verdict.live is Decision.BLOCK
    ]
    assert stopped == []


def test_the_judge_is_no_wall(judge: Judge, tmp_path: Path) -> None:
    """Without rules of the project only the guardrails' own files are guarded."""
    bare = Judge(lay_out(tmp_path / "other"), {"skills": {}})
    blocked = [a for tool, a in bypasses.ATTEMPTS if bare(tool, **a).live is Decision.BLOCK]
    assert len(blocked) < len(bypasses.ATTEMPTS) / 4

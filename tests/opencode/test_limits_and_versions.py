"""What a person reads about limits and about a program that is no OpenCode."""

from pathlib import Path

import pytest

from control_plane.cli import main
from control_plane.opencode.running import version_of
from control_plane.opencode.shapes import IncompatibleServer


@pytest.mark.parametrize("says", ["true (GNU coreutils) 9.1\nWritten by Jim Meyering.", "git version 2.39.5", ""])
def test_a_program_that_is_no_opencode_is_called_so(says: str, tmp_path: Path) -> None:
    program = tmp_path / "other"
    program.write_text(f"#!/bin/sh\ncat <<'end'\n{says}\nend\n")
    program.chmod(0o755)
    with pytest.raises(IncompatibleServer, match="is not OpenCode"):
        version_of(str(program))


def test_another_generation_is_named_by_its_version(tmp_path: Path) -> None:
    program = tmp_path / "opencode"
    program.write_text("#!/bin/sh\necho 2.0.1\n")
    program.chmod(0o755)
    with pytest.raises(IncompatibleServer, match=r"OpenCode 2\.0\.1 cannot be driven yet"):
        version_of(str(program))


def test_limits_are_told_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("opencode", "limit", "--home", str(tmp_path), "--day-requests", "7", "--session-usd", "0.5")
    assert main(words) == 0
    assert capsys.readouterr().out == "limits: $0.5 a session, 7 requests a day\n"

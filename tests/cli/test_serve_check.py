"""`serve --check` says what the real start would say."""

from pathlib import Path

import pytest

from control_plane.ledger.home import Home
from tests.cli.conftest import Run

CHECK = ("serve", "--port", "0", "--check")


@pytest.mark.parametrize("content", [None, "drivers = 3\n", '[drivers.oc]\nkind = "opencode"\n'])
def test_a_bridge_file_that_cannot_be_used_is_found(content: str | None, run: Run, home: Home, tmp_path: Path):
    file = tmp_path / "bridge.toml"
    if content is not None:
        file.write_text(content)
    ran = run(*CHECK, "--bridge", str(file), "--json")
    assert (ran.code, ran.out) == (2, "")
    assert ran.error()["code"] == "settings.invalid"


def test_one_that_can_be_used_passes_and_nobody_is_woken(run: Run, home: Home, tmp_path: Path):
    file = tmp_path / "bridge.toml"
    file.write_text("")
    assert run(*CHECK, "--bridge", str(file)).code == 0


@pytest.mark.parametrize("port", ["-1", "99999", "65536"])
def test_a_port_that_is_none_is_refused_with_its_range(port: str, run: Run, home: Home):
    ran = run("serve", "--check", "--port", port, "--json")
    assert (ran.code, ran.error()["code"]) == (2, "input.invalid")
    assert "0 to 65535" in ran.error()["why"]

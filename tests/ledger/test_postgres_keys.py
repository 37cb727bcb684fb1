"""Keys of two hosts that share one log in PostgreSQL, changed by command."""

import json
from pathlib import Path
from typing import Any

import pytest

from control_plane.cli import main


class Host:
    """One host: its own state folder, the shared database."""

    def __init__(self, url: str, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._place = ("--home", url, "--state-dir", str(state))
        self._capsys = capsys
        self.keys = state / "keys"

    def run(self, *words: str) -> tuple[int, Any]:
        code = main([*words, *self._place, "--json"])
        printed = self._capsys.readouterr()
        return code, json.loads(printed.out) if printed.out else json.loads(printed.err.splitlines()[-1])["error"]


@pytest.mark.requirement("LEDGER-42", "LEDGER-37", "LEDGER-40")
def test_two_hosts_admit_rotate_revoke_and_recover_their_keys(
    postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (Host(postgres_url, tmp_path / name, capsys) for name in ("first", "second"))
    root = first.run("init")[1]["verifier_key"]
    code, joined = second.run("init")
    assert (code, joined["may_sign"], joined["recovery_key_is_here"]) == (0, False, False)
    assert "postgres@" not in joined["database"]
    code, refused = second.run("ledger", "rotate-key")
    assert (code, refused["code"]) == (2, "key.unknown")
    own = joined["verifier_key"]
    assert f"ledger key admit {own}" in refused["cure"]
    assert first.run("ledger", "key", "admit", own)[0] == 0
    code, rotated = second.run("ledger", "rotate-key")
    assert (code, rotated["retired"]) == (0, [own])
    assert first.run("ledger", "key")[1]["keys"] == [root, rotated["admitted"]]
    offline = (first.keys / "recovery.key").rename(tmp_path / "offline.key")
    (first.keys / "ledger.key").unlink()
    code, recovered = first.run("ledger", "recover-key", "--recovery-key", str(offline), "--lost", root)
    assert (code, recovered["retired"]) == (0, [root])
    assert second.run("ledger", "revoke-key", recovered["admitted"])[0] == 0
    assert first.run("ledger", "rotate-key")[1]["code"] == "key.retired"
    assert second.run("ledger", "key")[1]["keys"] == [rotated["admitted"]]
    code, verdict = second.run("ledger", "verify")
    assert (code, verdict["ok"], verdict["position"]) == (0, True, 5)

"""Keys that are lost or revoked, and changes that die half way: the recovery key, and whoever comes next."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from control_plane.clock import Clock
from control_plane.errors import (
    BadInput,
    KeyMissing,
    KeyRetired,
    KeyUnknown,
)
from control_plane.ledger import key_changes
from control_plane.ledger.home import Home
from control_plane.ledger.keys import create_key
from control_plane.ledger.ledger import Ledger
from control_plane.ledger.opening import Opened
from tests.ledger.keyed import CATALOGUE, STEPS, Died, dying_at, head_signers, own_key, say


@pytest.mark.requirement("LEDGER-38")
def test_after_the_last_key_is_revoked_the_error_says_that_only_the_recovery_key_helps(
    home: Home, opened: Opened, offline: Path, open_ledger: Callable[[], Ledger]
) -> None:
    running = open_ledger()
    key_changes.revoke(opened, own_key(home))
    assert opened.keyring().current() == []
    with pytest.raises(KeyRetired, match="only the recovery key can admit one"):
        say(running, "nobody may")
    changed = key_changes.recover(opened, offline)
    assert changed.retired == ()
    say(running, "again")
    assert head_signers(opened) == [changed.admitted]


@pytest.mark.requirement("LEDGER-38")
def test_the_recovery_key_revokes_too_and_a_stranger_does_not(
    home: Home, opened: Opened, offline: Path, tmp_path: Path
) -> None:
    other = create_key(tmp_path / "other.key", home.identity().origin)
    key_changes.admit(opened, other.verifier)
    with pytest.raises(KeyUnknown, match="not this ledger's recovery key"):
        key_changes.revoke(opened, other.verifier, recovery_key=tmp_path / "other.key")
    assert key_changes.revoke(opened, other.verifier, recovery_key=offline).retired == (other.verifier,)
    with pytest.raises(KeyUnknown, match="not in use"):
        key_changes.revoke(opened, other.verifier)


@pytest.mark.requirement("LEDGER-40")
@pytest.mark.parametrize("loss", ["deleted", "emptied", "unreadable to us"])
def test_after_key_loss_the_recovery_key_admits_a_fresh_key_and_writing_goes_on(
    home: Home, offline: Path, open_ledger: Callable[[], Ledger], loss: str
) -> None:
    lost = own_key(home)
    if loss == "deleted":
        home.key.unlink()
    else:
        home.key.write_bytes(b"" if loss == "emptied" else b"\0" * 100)
    with pytest.raises(KeyMissing):
        Opened(home, CATALOGUE, Clock())
    opened = Opened(home, CATALOGUE, Clock(), signing=False)
    opened.check()
    changed = key_changes.recover(opened, offline)
    assert changed.retired == (lost,)
    assert head_signers(opened) == [changed.admitted]
    assert say(open_ledger(), "again") == 3
    opened.check()
    opened.close()


@pytest.mark.requirement("LEDGER-40")
def test_a_recovery_with_the_wrong_key_or_none_changes_nothing(home: Home, opened: Opened, tmp_path: Path) -> None:
    create_key(tmp_path / "wrong.key", home.identity().origin)
    home.key.unlink()
    with pytest.raises(KeyUnknown):
        key_changes.recover(opened, tmp_path / "wrong.key")
    with pytest.raises(KeyMissing, match="--recovery-key"):
        key_changes.recover(opened, tmp_path / "nowhere.key")
    assert opened.backend.size() == 1
    assert not home.next_key.exists()


@pytest.mark.requirement("LEDGER-40")
def test_of_several_keys_the_lost_one_must_be_named(home: Home, opened: Opened, offline: Path, tmp_path: Path) -> None:
    other = create_key(tmp_path / "other.key", home.identity().origin).verifier
    key_changes.admit(opened, other)
    lost = own_key(home)
    home.key.unlink()
    with pytest.raises(BadInput, match="--lost"):
        key_changes.recover(opened, offline)
    changed = key_changes.recover(opened, offline, lost=lost)
    assert opened.keyring().current() == [other, changed.admitted]


@pytest.mark.requirement("LEDGER-37")
@pytest.mark.parametrize("step", STEPS)
def test_a_rotation_that_dies_at_any_step_leaves_a_ledger_that_writes_and_can_rotate_again(
    home: Home, opened: Opened, open_ledger: Callable[[], Ledger], step: str
) -> None:
    with pytest.raises(Died):
        key_changes.rotate(opened, reached=dying_at(step))
    say(open_ledger(), "meanwhile")
    (in_use,) = opened.keyring().current()
    assert head_signers(opened) == [in_use]
    changed = key_changes.rotate(opened)
    assert changed.retired == (in_use,)
    assert own_key(home) == changed.admitted
    assert not home.next_key.exists()
    say(open_ledger(), "after")
    assert head_signers(opened) == [changed.admitted]
    opened.check()


@pytest.mark.requirement("LEDGER-40")
@pytest.mark.parametrize("step", STEPS)
def test_a_recovery_that_dies_at_any_step_is_taken_up_again(
    home: Home, offline: Path, open_ledger: Callable[[], Ledger], step: str
) -> None:
    home.key.unlink()
    opened = Opened(home, CATALOGUE, Clock(), signing=False)
    with pytest.raises(Died):
        key_changes.recover(opened, offline, reached=dying_at(step))
    changed = key_changes.recover(opened, offline)
    assert opened.keyring().current() == [changed.admitted] == [own_key(home)]
    assert not home.next_key.exists()
    # Only one that had gone through before makes the second one a change of its own.
    assert opened.backend.size() == (3 if step == "key renamed" else 2)
    say(open_ledger(), "again")
    opened.check()
    opened.close()


def test_a_torn_key_file_of_a_rotation_that_died_is_no_obstacle(home: Home, opened: Opened) -> None:
    home.next_key.touch(mode=0o600)
    assert key_changes.rotate(opened).admitted == own_key(home)


_KILLED = """
import os, signal, sys
from pathlib import Path
from tests.ledger.keyed import CATALOGUE
from control_plane.clock import Clock
from control_plane.ledger import key_changes
from control_plane.ledger.home import Home
from control_plane.ledger.opening import Opened
def die(step):
    if step == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)
key_changes.rotate(Opened(Home(Path(sys.argv[1])), CATALOGUE, Clock()), reached=die)
"""


@pytest.mark.parametrize("step", STEPS)
def test_a_rotation_that_is_killed_gives_way_to_the_next_process(home: Home, step: str) -> None:
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(home.root), step], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    opened = Opened(home, CATALOGUE, Clock())
    opened.check()
    assert key_changes.rotate(opened).admitted == own_key(home)
    opened.close()

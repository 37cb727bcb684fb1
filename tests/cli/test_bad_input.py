"""What is asked wrongly: refused with a code, never a traceback."""

import os
from pathlib import Path

import pytest

from control_plane.ledger.home import Home
from tests.cli.conftest import Run
from tests.cli.test_frame import start

WORDS: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "unknown command": ("frobnicate",),
    "unknown command in a group": ("ledger", "frobnicate"),
    "group alone": ("ledger",),
    "unknown option": ("ledger", "head", "--frobnicate"),
    "abbreviated option": ("ledger", "head", "--js"),
    "option without its value": ("ledger", "head", "--home"),
    "missing position": ("ledger", "prove"),
    "position 0": ("ledger", "prove", "0"),
    "position -1": ("ledger", "prove", "-1"),
    "position behind the end": ("ledger", "prove", "4"),
    "huge position": ("ledger", "prove", "9" * 30),
    "enormous position": ("ledger", "prove", "9" * 5000),
    "position that is no number": ("ledger", "prove", "one"),
    "position with a fraction": ("ledger", "prove", "1.5"),
    "workers 0": ("ledger", "verify", "--workers", "0"),
    "workers that are no number": ("ledger", "verify", "--workers", "x"),
    "device as home": ("--home", "/dev/null", "init"),
    "home with a null byte": ("--home", "a\0b", "ledger", "head"),
    "home with a name too long": ("--home", "x" * 5000, "ledger", "head"),
    "non-UTF-8 command": (os.fsdecode(b"\xff\xfe"),),
    "non-UTF-8 home": ("--home", os.fsdecode(b"/nowhere/\xff"), "ledger", "head"),
    "non-UTF-8 key": ("ledger", "key", "admit", os.fsdecode(b"\xff")),
    "key that is none": ("ledger", "key", "admit", "not+a+key"),
    "key of another ledger": (
        "ledger",
        "key",
        "admit",
        "example.com/foo+530daf26+AWixwy/UI/UeV1Hv/Dl4mKGfUjSzdkqCRTYFNGkgtYfQ",
    ),
    "unknown key to revoke": ("ledger", "revoke-key", "00000000"),
    "recovery without a file": ("ledger", "recover-key"),
    "recovery with no such file": ("ledger", "recover-key", "--recovery-key", "nowhere"),
    "witness reset without yes": ("ledger", "witness", "--reset"),
    "unknown shell": ("completion", "tcsh"),
    "unknown format": ("ledger", "export", "--format", "xml"),
    "port below the first": ("serve", "--check", "--port", "-1"),
    "port above the last": ("serve", "--check", "--port", "99999"),
    "keys without their issuer": ("serve", "--check", "--jwks", "keys.json"),
    "control characters": ("\x1b[31m\n\r",),
}


def bad_files(home: Home, tmp_path: Path) -> dict[str, tuple[str, ...]]:
    file = tmp_path / "file"
    file.write_text("not a home")
    garbage = tmp_path / "garbage.key"
    garbage.write_bytes(b"\xff\x00+\n+")
    return {
        "no home": ("--home", str(tmp_path / "nowhere"), "ledger", "verify"),
        "file as home": ("--home", str(file), "ledger", "head"),
        "file as home of init": ("--home", str(file), "init"),
        "below a file": ("--home", str(file / "below"), "init"),
        "key file that is none": ("ledger", "key", "admit", str(garbage)),
        "folder as key": ("ledger", "key", "admit", str(tmp_path)),
        "only key to revoke": ("ledger", "revoke-key", home.identity().root_key),
        "recovery with a folder": ("ledger", "recover-key", "--recovery-key", str(tmp_path)),
        "recovery with the signing key": ("ledger", "recover-key", "--recovery-key", str(home.key)),
    }


def test_no_bad_input_leads_to_a_traceback_or_an_unexpected_error(home: Home, tmp_path: Path, run: Run) -> None:
    wrong = {}
    for name, words in (WORDS | bad_files(home, tmp_path)).items():
        for extra in ((), ("--json",)):
            ran = run(*extra, *words)
            lines = ran.err.splitlines()
            fine = ran.code == 2 and not ran.out and "Traceback" not in ran.err and "[internal]" not in ran.err
            if extra:
                fine = (
                    fine and set(ran.error()) == {"code", "what", "why", "cure"} and ran.error()["code"] != "internal"
                )
            else:
                fine = fine and 1 <= len(lines) <= 3 and lines[-1].endswith("]")
            if not fine:
                wrong[name, extra] = ran
    assert wrong == {}
    assert run("ledger", "head", "--json").json()["position"] == 3


@pytest.mark.parametrize(
    "words",
    [(b"\xff\xfe",), (b"--home", b"/nowhere/\xff", b"ledger", b"head"), (b"ledger", b"prove", b"\xff")],
)
def test_arguments_that_are_no_text_are_refused_by_the_real_program(words: tuple[bytes, ...]) -> None:
    ran = start(*words)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert b"Traceback" not in ran.stderr


def test_an_error_says_what_why_and_what_to_do_next_with_its_code_at_the_end(run: Run) -> None:
    ran = run("ledgr")
    assert ran.err.splitlines()[0] == "control-plane knows no 'ledgr'"
    assert ran.err.splitlines()[1].startswith("  why   it knows ")
    assert ran.err.splitlines()[2] == "  next  did you mean `control-plane ledger`? [input.usage]"

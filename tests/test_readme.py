"""Every command and snippet that people read is run: in order, in one fresh folder for each page.

A ```console block holds commands after `$ ` and, if it likes, what they print: `…` stands for anything, alone on
a line for any number of them, and a command that is meant to fail says so: `# exits 1`. A ```python block is a program.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PROJECT = Path(__file__).parent.parent
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXITS = re.compile(r"\s+# exits (\d+)$")


class Step(NamedTuple):
    """One command with the lines that should come back, or one program."""

    command: list[str]
    shown: str
    exits: int


def steps(text: str) -> Iterator[Step]:
    for kind, body in BLOCK.findall(text):
        if kind == "python":
            yield Step([sys.executable, "-c", body], "", 0)
        else:
            yield from console(body)


def console(body: str) -> Iterator[Step]:
    for part in re.split(r"^\$ ", body.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        ending = EXITS.search(command)
        yield Step(["sh", "-c", EXITS.sub("", command)], shown.strip("\n"), int(ending[1]) if ending else 0)


def fits(shown: str, printed: str) -> bool:
    """Whether the page shows what was printed; spaces at line ends do not count."""
    lines = [r"(?s:.*)" if line == "…" else re.escape(line.rstrip()).replace("…", ".*") for line in shown.splitlines()]
    return (
        re.fullmatch("\n".join(lines), "\n".join(line.rstrip() for line in printed.strip("\n").splitlines()))
        is not None
    )


def environment(folder: Path) -> dict[str, str]:
    """A shell in which `control-plane` is this checkout."""
    programs = folder / "bin"
    programs.mkdir()
    program = programs / "control-plane"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m control_plane "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    (programs / "python").symlink_to(sys.executable)
    # An OpenCode that has nothing connected: `opencode install` asks its version and its models.
    other = programs / "opencode"
    other.write_text('#!/bin/sh\ntest "$1" != --version || echo 1.18.33\n', encoding="utf-8")
    other.chmod(0o755)
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONPATH": str(PROJECT), "NO_COLOR": "1", "COLUMNS": "100"}


def follow(text: str, folder: Path) -> list[str]:
    """Do what a page says; what did not go as it says."""
    given = environment(folder)
    work = folder / "work"
    work.mkdir()
    wrong = []
    for step in steps(text):
        done = subprocess.run(
            step.command, cwd=work, env=given, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        if done.returncode != step.exits or (step.shown and not fits(step.shown, done.stdout)):
            wrong.append(f"{step.command[-1]}\nexit {done.returncode}\n{done.stdout}{done.stderr}")
    return wrong


@pytest.mark.requirement("SHIP-07")
@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(PROJECT)) for page in PAGES])
def test_what_a_page_says_works(page: Path, tmp_path: Path) -> None:
    assert follow(page.read_text(encoding="utf-8"), tmp_path) == []


@pytest.mark.parametrize(
    ("page", "wrong"),
    [
        ("```console\n$ true\n$ echo one two\none …\n$ sh -c 'exit 3'  # exits 3\n```\n", 0),
        ("```console\n$ printf '1\\n2\\n3\\n'\n1\n…\n3\n```\n", 0),
        ("```console\n$ printf '1\\n2\\n3\\n'\n1\n…\n4\n```\n", 1),
        ("```console\n$ false\n```\n", 1),
        ("```console\n$ true  # exits 1\n```\n", 1),
        ("```console\n$ echo one\ntwo\n```\n", 1),
        ("```console\n$ no-such-command\n```\n", 1),
        ("```python\nassert 1 + 1 == 3\n```\n", 1),
        ("```python\nprint('hello')\n```\n", 0),
        ("```sh\nnot run\n```\n", 0),
    ],
)
def test_a_page_that_lies_is_found_out(page: str, wrong: int, tmp_path: Path) -> None:
    assert len(follow(page, tmp_path)) == wrong


@pytest.mark.requirement("SHIP-01")
def test_the_readme_says_in_three_sentences_what_it_is_for() -> None:
    first = (PROJECT / "README.md").read_text(encoding="utf-8").split("\n\n")[1]
    assert len(re.findall(r"\.(?:\s|$)", first)) == 3


def test_every_page_shows_its_commands_in_blocks_that_are_run() -> None:
    """A command in a block of another kind would never be tried."""
    for page in PAGES:
        rest = BLOCK.sub("", page.read_text(encoding="utf-8"))
        assert not re.findall(r"^(?:\$ )?control-plane .*$", rest, re.MULTILINE), page

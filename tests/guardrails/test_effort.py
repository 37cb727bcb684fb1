"""What a check may cost: nothing that is sent makes it long, and what would cost more counts as what cannot be read."""

from collections.abc import Callable
from pathlib import Path
from time import thread_time

import pytest

from control_plane.guardrails import answering
from control_plane.guardrails.shell import effort
from control_plane.guardrails.shell.calls import only_reads
from control_plane.guardrails.shell.code import read_code
from control_plane.guardrails.shell.lexer import tokens
from control_plane.guardrails.terms import Decision

ENFORCE = {"OPENCODE_ENFORCEMENT_MODE": "enforce"}
SHORT, TIMES = 1 << 13, 4
CODE = [
    "a",
    "q{",
    "'a' ",
    '"',
    '"""x',
    "open(",
    "open(a(b)",
    ".replace(",
    "print ",
    " ",
    "\n",
    '\\"',
    "{",
    "a=",
    "aa ",
    "a.",
    "`",
    "f('a',",
]
WORDS = ["a", "\\a", "'a'", '"a', "${a", "$(a ", "`a ", "{a,", "~/", "[", "<<E\n", "a;", "(", "%0", "'a'\"b\"", "$a"]


def seconds(work: Callable[[str], object], text: str) -> float:
    """Of this thread's own work, the least of three."""
    found = []
    for _ in range(3):
        began = thread_time()
        work(text)
        found.append(thread_time() - began)
    return min(found)


@pytest.mark.parametrize(
    ("work", "head", "piece"),
    [*((read_code, 'open(1,"w");print', one) for one in CODE), *((only_reads, "x ", one) for one in CODE),
     *((tokens, "rm ", one) for one in WORDS)],
)  # fmt: skip
def test_a_text_four_times_as_long_takes_about_four_times_as_long(work, head, piece):
    short, long = (head + piece * (size // len(piece)) for size in (SHORT, SHORT * TIMES))
    work(short)
    # A millisecond for what the clock itself takes; what grows with the square would take sixteen times as long.
    assert seconds(work, long) < 2 * TIMES * seconds(work, short) + 0.001


def asked(guard, command: str) -> answering.Checked:
    return answering.check(guard, "bash", {"command": command}, session="s", told=ENFORCE)


def test_a_command_that_is_too_long_to_be_read_is_held_against_the_rules_that_block(guard):
    told = asked(guard, "echo " + "a" * (1 << 16))
    assert (told.decision, "too long" in told.message) == (Decision.BLOCK, True)
    assert asked(guard, "echo " + "a" * (1 << 15)).decision is Decision.ALLOW


@pytest.mark.parametrize("command", ["rm **/zzzz", "find . -name zzzz -delete", "cp -r . . . x", "rm -rf tree"])
def test_a_tree_that_is_too_large_to_be_walked_is_held_against_them_too(guard, monkeypatch, command):
    for number in range(40):
        Path(f"tree/{number}/leaf").mkdir(parents=True)
    monkeypatch.setattr(effort, "MOST_ENTRIES", 60)
    told = asked(guard, command)
    assert (told.decision, "than a check may" in told.message) == (Decision.BLOCK, True)


@pytest.mark.parametrize("command", ["echo x > /**/zzzz", "find / -name zzzz -delete", "cp -r /usr /usr /usr x"])
def test_what_lies_outside_the_project_is_not_walked(guard, monkeypatch, command):
    monkeypatch.setattr(effort, "MOST_ENTRIES", 60)
    assert "than a check may" not in asked(guard, command).message


@pytest.mark.parametrize(
    "command",
    ["a=xxxxxxxxxx; " + "a=$a$a; " * 40 + "rm $a", "a=" + "a" * 20_000 + "; rm ${a//a/" + "b" * 20_000 + "}",
     "echo " + "{a,b}" * 10_000, "x=" + "a" * 20_000 + "; echo" + " $x$x" * 5000,
     "echo " + "a " * 10_000 + "| xargs -I{} rm " + "{} " * 10_000],
)  # fmt: skip
def test_what_would_grow_without_end_is_given_up(guard, command):
    began = thread_time()
    asked(guard, command)
    assert thread_time() - began < 3 * effort.MOST_SECONDS


def test_time_that_is_over_is_no_yes(guard, monkeypatch):
    monkeypatch.setattr(effort, "MOST_SECONDS", 0.0)
    told = asked(guard, "echo x > notes.txt")
    assert (told.decision, "more work" in told.message) == (Decision.BLOCK, True)


def test_a_name_that_no_file_has_is_looked_at_by_its_length_only(guard):
    told = answering.check(guard, "write", {"filePath": ". " * 400_000, "content": ""}, session="s", told=ENFORCE)
    assert (told.decision, "longer than" in told.message) == (Decision.BLOCK, True)


@pytest.mark.parametrize(
    ("head", "piece"),
    [("python3 -c '", "\n"), ("python3 -c 'import ", " "), ("node -e '", "\n"), ("perl -e '", "\n"), ("awk '", "~"),
     ("awk '", "["), ("awk '", '\\"'), ("awk 'print", " print"), ("sed '\\,", "\\a"), ("sed 's/", "a/")],
)  # fmt: skip
def test_no_language_within_a_command_makes_its_check_long(guard, head, piece):
    short, long = (head + piece * (size // len(piece)) + "'" for size in (SHORT, SHORT * TIMES))
    asked(guard, short)
    assert seconds(lambda text: asked(guard, text), long) < 2 * TIMES * seconds(lambda text: asked(guard, text), short)

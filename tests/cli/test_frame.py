"""What every command has in common: words, exit codes, errors in three lines, no traceback."""

import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from control_plane.cli import command, main, parsing, printing, progress
from control_plane.errors import ControlPlaneError, LedgerDamaged
from control_plane.ledger.home import Home
from tests.cli.conftest import Ran, Run, grow

PROGRAM = (sys.executable, "-m", "control_plane")
HEAVY = {"msgspec", "cryptography", "sqlite3", "eventsourcing", "rich", "pydantic_settings", "anyio", "json", "asyncio"}


def start(*words: str | bytes, **options: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*PROGRAM, *words], capture_output=True, timeout=60, check=False, **options)


def test_help_imports_nothing_that_a_command_would_need() -> None:
    source = (
        "import sys\nbefore = set(sys.modules)\nfrom control_plane.cli import main\nassert main(['--help']) == 0\n"
        "print('\\n'.join(sys.modules.keys() - before), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=True)
    assert "examples:" in ran.stdout
    assert HEAVY & {name.partition(".")[0] for name in ran.stderr.split()} == set()


def test_help_costs_little_more_than_the_interpreter_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most 120 ms of the processor, and on a machine that is busy at most what four bare interpreters cost."""
    # Compiled once, as an installed program is.
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "")
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path))

    def cost(*words: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(words, stdout=subprocess.DEVNULL, check=True, timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    runs = [(cost(*PROGRAM, "--help"), cost(sys.executable, "-c", "import argparse")) for _ in range(7)]
    helped, bare = map(min, zip(*runs, strict=True))
    assert helped < max(0.12, 4 * bare)


def all_commands() -> list[command.Command]:
    return command.load(())


@pytest.mark.parametrize("entry", all_commands(), ids=lambda entry: entry.name)
def test_every_command_has_help_with_an_example_of_itself(entry: command.Command, run: Run) -> None:
    ran = run(*entry.name.split(), "--help")
    assert ran.code == 0
    assert entry.examples
    for example in entry.examples:
        assert example in ran.out
        assert example.startswith(f"control-plane {entry.name}")
    assert "--home" in ran.out
    assert "--json" in ran.out
    assert all(options.get("help") or options.get("choices") for _, options in entry.arguments)


@pytest.mark.parametrize(
    "words",
    [
        ("--home", "{home}", "--json", "ledger", "head"),
        ("ledger", "--home", "{home}", "--json", "head"),
        ("ledger", "head", "--home", "{home}", "--json"),
        ("--json", "ledger", "--home={home}", "head"),
    ],
)
def test_home_and_json_may_stand_before_and_after_every_word(
    words: tuple[str, ...], home: Home, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONTROL_PLANE_HOME")
    ran = run(*(word.format(home=home.root) for word in words))
    assert (ran.code, ran.json()["position"]) == (0, 3)


def test_the_last_home_that_was_named_counts(home: Home, run: Run) -> None:
    assert run("--home", "elsewhere", "ledger", "head", "--home", str(home.root)).code == 0


def test_a_home_with_the_name_of_a_command_is_no_command(home: Home, run: Run) -> None:
    assert run("--home", "ledger", "init").code == 0
    assert Path("ledger/ledger.db").is_file()


def raising(fault: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise fault

    monkeypatch.setitem(command._DECLARED, "ledger head", command._DECLARED["ledger head"]._replace(run=fail))


def test_a_failed_check_exits_1_and_anything_else_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    command.load(())
    for fault, code in (
        (LedgerDamaged("x"), 1),
        (ControlPlaneError("x"), 2),
        (OSError(28, "full"), 2),
        (KeyError(1), 2),
    ):
        raising(fault, monkeypatch)
        assert run("ledger", "head").code == code


def test_an_unexpected_exception_is_one_line_that_says_how_to_see_more(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    command.load(())
    raising(ZeroDivisionError("a\nb"), monkeypatch)
    ran = run("ledger", "head")
    assert ran.err == "unexpected ZeroDivisionError: a b (CONTROL_PLANE_DEBUG=1 shows where) [internal]\n"
    assert run("ledger", "head", "--json").error()["code"] == "internal"
    monkeypatch.setenv("CONTROL_PLANE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["ledger", "head"])


def test_an_interrupt_exits_130_and_says_what_was_done(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    command.load(())

    def work(_: object, out: printing.Output) -> int:
        out.started("verified", "events")(1200, 5000)
        raise KeyboardInterrupt

    monkeypatch.setitem(command._DECLARED, "ledger head", command._DECLARED["ledger head"]._replace(run=work))
    ran = run("ledger", "head")
    assert ran.code == 130
    assert ran.err == "interrupted\n  why   verified 1,200 of 5,000 events [interrupted]\n"


def test_an_interrupt_after_an_answer_does_not_deny_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    command.load(())

    def work(_: object, out: printing.Output) -> int:
        out.answer({"url": "here"}, ["here"])
        raise KeyboardInterrupt

    monkeypatch.setitem(command._DECLARED, "ledger head", command._DECLARED["ledger head"]._replace(run=work))
    ran = run("ledger", "head")
    assert (ran.code, ran.out, ran.err) == (130, "here\n", "interrupted [interrupted]\n")


def test_an_interrupt_ends_a_running_export_that_nobody_reads(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is buffered must not be waited for at exit.
    monkeypatch.setenv("PYTHONUNBUFFERED", "")
    grow(home, 2000)
    process = subprocess.Popen([*PROGRAM, "ledger", "export"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    # One byte says that it writes; the rest fills the pipe and holds it up.
    assert os.read(process.stdout.fileno(), 1) == b"{"
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert process.stderr.read().splitlines()[-1].endswith(b"[interrupted]")
    process.stdout.close()
    process.stderr.close()


def test_version_is_printed_and_nothing_else(run: Run) -> None:
    ran = run("--version")
    assert ran.code == 0
    assert ran.out.startswith("control-plane ")
    assert len(ran.out.splitlines()) == 1


@pytest.fixture(params=["buffered", "unbuffered"])
def buffering(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails at once when nothing is buffered fails once more at exit when something is."""
    monkeypatch.setenv("PYTHONUNBUFFERED", "1" if request.param == "unbuffered" else "")


@pytest.mark.usefixtures("buffering")
def test_a_reader_that_goes_away_is_no_error(home: Home) -> None:
    """The pipe is closed before the first byte is written."""
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.Popen([*PROGRAM, "ledger", "key"], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    _, err = process.communicate(timeout=60)
    assert err == b""
    assert process.returncode == 128 + signal.SIGPIPE


@pytest.mark.usefixtures("buffering")
def test_a_full_disk_behind_stdout_is_a_coded_error(home: Home) -> None:
    with open("/dev/full", "wb") as full:
        ran = subprocess.run([*PROGRAM, "ledger", "key"], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert ran.returncode == 2
    assert ran.stderr == b"No space left on device [system.refused]\n"


def test_results_go_to_stdout_and_words_to_stderr(home: Home) -> None:
    ran = start("ledger", "head")
    assert (ran.returncode, ran.stderr) == (0, b"")
    ran = start("ledger", "prove", "99")
    assert (ran.returncode, ran.stdout) == (2, b"")


def in_terminal(*words: str, **environment: str) -> tuple[int, str]:
    """The program with a terminal on both of its outputs; what the terminal showed."""
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *words], stdin=secondary, stdout=secondary, stderr=secondary, env={**os.environ, **environment}
    )
    os.close(secondary)
    shown = b""
    while True:
        try:
            part = os.read(primary, 65536)
        except OSError:  # the other end is closed
            break
        shown += part
        if not part:
            break
    os.close(primary)
    return process.wait(60), shown.decode()


@pytest.mark.parametrize("words", [("doctor",), ("guard", "status"), ("opencode", "status")], ids=" ".join)
def test_what_is_said_in_words_goes_on_below_where_the_terminal_ends(home: Home, words: tuple[str, ...]) -> None:
    _, narrow = in_terminal(*words, TERM="xterm", COLUMNS="60", NO_COLOR="1")
    # Only what has no blank is wider: a path that somebody may want to copy.
    assert [line for line in narrow.splitlines() if len(line) > 60 and " " in line.strip("→ ")[20:]] == []
    whole = start(*words).stdout.decode()
    # Free disk is another figure each time.
    assert re.sub(r"\d", "", narrow).split() == re.sub(r"\d", "", whole).split()
    assert len(narrow.splitlines()) > len(whole.splitlines())


@pytest.mark.requirement("LEDGER-88")
def test_long_work_shows_its_progress_on_a_terminal(home: Home) -> None:
    code, shown = in_terminal("ledger", "verify", TERM="xterm")
    assert code == 0
    assert "\rverified 3 of 3 events · 100%" in shown.replace("\x1b[K", "")
    assert "/s" in shown
    assert shown.rstrip().splitlines()[-1].startswith("root")


@pytest.mark.requirement("LEDGER-89")
def test_no_progress_is_shown_in_a_pipe_or_on_a_dumb_terminal(home: Home) -> None:
    assert start("ledger", "verify").stderr == b""
    _, shown = in_terminal("ledger", "verify", TERM="dumb")
    assert "verified 3 of" not in shown


def test_colour_is_for_terminals_that_want_it(home: Home) -> None:
    assert "\x1b[32mok\x1b[0m" in in_terminal("ledger", "verify", TERM="xterm")[1]
    assert "\x1b[32m" not in in_terminal("ledger", "verify", TERM="xterm", NO_COLOR="1")[1]
    assert b"\x1b" not in start("ledger", "verify").stdout


def test_progress_tells_rate_and_time_left() -> None:
    import io

    times = iter([0.0, 2.0, 2.05, 100.0])
    stream = io.StringIO()
    bar = progress.TerminalProgress(stream, "exported", "events", lambda: next(times))
    bar(250, 1000)
    bar(260, 1000)
    bar(999, 100_000)
    bar.clear()
    shown = stream.getvalue().replace("\033[K", "").split("\r")
    assert shown == [
        "",
        "exported 250 of 1,000 events · 25% · 125/s · 6 s left",
        "exported 999 of 100,000 events · 1% · 10/s · 165 min 10 s left",
        "",
    ]
    assert bar.sentence() == "exported 999 of 100,000 events"


def test_lines_are_cut_to_the_terminal_but_whole_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = printing.table(("name", "size"), [("a" * 30, "1"), ("b", "1,000")], right=(1,))
    assert rows == [f"{'name':<30}   size", f"{'a' * 30}      1", f"{'b':<30}  1,000"]
    monkeypatch.setattr(printing, "is_terminal", lambda _: True)
    monkeypatch.setenv("COLUMNS", "20")
    assert [len(line) for line in printing.table(("name", "size"), [("a" * 30, "1")])] == [20, 20]
    assert len(printing.table(("name", "size"), [("a" * 30, "1")], whole=True)[1]) == 33


def test_a_name_that_is_no_text_is_valid_json() -> None:
    text = printing.to_json({"home": os.fsdecode(b"/\xff"), "ok": "ä"})
    assert json.loads(text.encode()) == {"home": "/\udcff", "ok": "ä"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command_and_option(shell: str, run: Run) -> None:
    script = run("completion", shell).out
    for entry in all_commands():
        assert entry.name.split()[-1] in script
        for names, _ in entry.arguments:
            assert all(name.lstrip("-") in script for name in names if name.startswith("--"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("control-plane led", {"ledger"}),
        ("control-plane ledger ver", {"verify"}),
        ("control-plane --home x ledger ro", {"rotate-key"}),
        ("control-plane ledger key ad", {"admit"}),
        ("control-plane ledger verify --wo", {"--workers"}),
        ("control-plane completion f", {"fish"}),
    ],
)
def test_the_completion_script_works_in_bash(line: str, expected: set[str], run: Run) -> None:
    words = line.split()
    shown = 'printf "%s\\n" "${COMPREPLY[@]}"'
    typed = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _control_plane"
    script = "\n".join([run("completion", "bash").out, typed, shown])
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert set(ran.stdout.split()) == expected


def test_a_command_is_added_by_one_declaration() -> None:
    def dance(arguments: object, out: printing.Output) -> int:
        out.answer({"times": arguments.times}, [f"danced {arguments.times} times"])
        return 0

    added = command.Command(
        "dance tango", "dance", ("control-plane dance tango 3",), (command.argument("times", type=int),), dance
    )
    parser = parsing.build([added])
    arguments = parsing.complete_arguments(parser, ["dance", "tango", "3", "--json"])
    assert (arguments.times, arguments.json, arguments.home) == (3, True, None)
    assert arguments.run is dance


def test_ran_reads_what_was_printed() -> None:
    assert Ran(0, '{"a": 1}', '{"error": {"code": "x"}}').json() == {"a": 1}

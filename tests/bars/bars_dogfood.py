"""Bars of the dogfood suite: what may be written, what is seen, what is a worktree, what passes."""

from collections.abc import Callable
from pathlib import Path

from control_plane.dogfood.cases import FIXTURES, PROBE, SANDBOX, SENTINEL
from control_plane.dogfood.git import Git
from control_plane.dogfood.policy import WRITE_ALLOWLIST, may_write
from control_plane.dogfood.results import status_of
from control_plane.dogfood.tree import changes, look
from tests.bars.frame import Bar
from tests.dogfood.ground import git

Act = Callable[[], object]


class Desk:
    """A subject with a folder of its own to work in."""

    def __init__(self, folder: Path, subject: Callable[..., object]) -> None:
        self.folder, self.subject = folder, subject


def check_no_path_leads_around_the_allowlist(desk: Desk) -> None:
    (desk.folder / SANDBOX).mkdir(parents=True)
    (desk.folder / SANDBOX / "link").symlink_to("/", target_is_directory=True)
    for path in (PROBE, SANDBOX + "a.py", "logs/agent_calls/1.txt"):
        assert desk.subject(desk.folder, path)
    for path in (SANDBOX + "../run_suite.py", SANDBOX + "link/a", FIXTURES + "policy.md", "README.md", "/etc/passwd"):
        assert not desk.subject(desk.folder, path)


def by_its_beginning(root: Path, path: str) -> bool:
    return path.startswith(WRITE_ALLOWLIST) and ".." not in path and not path.startswith(FIXTURES)


def by_where_it_leads(root: Path, path: str) -> bool:
    return may_write(root, path) or path.startswith(FIXTURES)


def check_a_change_is_seen_whoever_hides_it(desk: Desk) -> None:
    root = desk.folder / "repository"
    root.mkdir()
    (root / "kept.txt").write_text("kept")
    (root / ".gitignore").write_text("ignored.txt\n")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    assert not desk.subject(root, lambda: None)
    assert desk.subject(root, lambda: (root / "ignored.txt").write_text("mine"))
    git(root, "update-index", "--assume-unchanged", "kept.txt")
    assert desk.subject(root, lambda: (root / "kept.txt").write_text("mine"))
    assert desk.subject(root, lambda: git(root, "commit", "-q", "--allow-empty", "-m", "second"))
    assert desk.subject(root, lambda: git(root, "config", "core.hooksPath", "/"))


def sees(root: Path, act: Act) -> bool:
    asked = Git(root)
    before = look(root, asked, root / "evidence")
    act()
    return bool(changes(before, look(root, asked, root / "evidence")))


def asks_the_index(root: Path, act: Act) -> bool:
    before = Git(root).status()
    act()
    return Git(root).status() != before


def check_only_what_git_lists_is_a_worktree(desk: Desk) -> None:
    main = desk.folder / "worktrees" / "main"
    main.mkdir(parents=True)
    git(main, "init", "-q")
    git(main, "commit", "-q", "--allow-empty", "-m", "first")
    git(main, "worktree", "add", "-q", str(desk.folder / "linked"), "HEAD")
    assert desk.subject(desk.folder / "linked")
    assert not desk.subject(main)


def check_a_case_passes_only_as_expected(passes: Callable[..., str]) -> None:
    assert passes("SUCCESS", None, None) == passes("EXPECTED_FAIL", "GITCLEANFAIL", "GITCLEANFAIL") == "PASS"
    assert passes("SUCCESS", None, "CLIFAIL") == "FAIL"
    assert passes("EXPECTED_FAIL", "GITCLEANFAIL", None) == "FAIL"
    assert passes("EXPECTED_FAIL", "GITCLEANFAIL", "MODIFICATIONFAIL") == "FAIL"
    assert SENTINEL.startswith(SANDBOX)


BARS = [
    Bar(
        check_no_path_leads_around_the_allowlist,
        real=lambda folder: Desk(folder, may_write),
        null=lambda folder: Desk(folder, lambda *_: True),
        planted={
            "links are followed": lambda folder: Desk(folder, by_its_beginning),
            "fixtures are open": lambda folder: Desk(folder, by_where_it_leads),
        },
    ),
    Bar(
        check_a_change_is_seen_whoever_hides_it,
        real=lambda folder: Desk(folder, sees),
        null=lambda folder: Desk(folder, lambda root, act: False),
        planted={"git's index is believed": lambda folder: Desk(folder, asks_the_index)},
    ),
    Bar(
        check_only_what_git_lists_is_a_worktree,
        real=lambda folder: Desk(folder, lambda root: Git(root).place().linked),
        null=lambda folder: Desk(folder, lambda root: True),
        planted={"the path's name is believed": lambda folder: Desk(folder, lambda root: "worktrees" in root.parts)},
    ),
    Bar(
        check_a_case_passes_only_as_expected,
        real=lambda _: status_of,
        null=lambda _: lambda *_: "PASS",
        planted={
            "expected failures are not known": lambda _: lambda *told: "PASS" if told[2] is None else "FAIL",
            "any failure will do": lambda _: (
                lambda expected, wanted, code: "PASS" if (code is None) == (expected == "SUCCESS") else "FAIL"
            ),
        },
    ),
]

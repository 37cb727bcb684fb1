"""What a run of tests proves, and what it does not."""

from pathlib import Path

import pytest

from control_plane.runner.checking import missing_from, named_in
from control_plane.runner.tree import Tree
from control_plane.runner.verdicts import Checked, counted, judge

PYTEST = ("pytest", "-q")


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        ("3 passed, 1 skipped in 0.1s", (3, 0, 1)),
        ("FAILED t.py::test_a - boom\n1 failed, 2 passed in 1.2s", (2, 1, 0)),
        ("no tests ran in 0.01s", (0, 0, 0)),
        ("4 skipped in 0.01s", (0, 0, 4)),
        ("Ran 5 tests in 0.1s\n\nFAILED (failures=1, errors=1, skipped=1)", (2, 2, 1)),
        ("Tests:       1 failed, 2 skipped, 7 passed, 10 total", (7, 1, 2)),
        ("# pass 3\n# fail 0\n# skipped 1\n", (3, 0, 1)),
        ("ok  \tacme/a\t0.1s\nFAIL\tacme/b\t0.2s", (1, 1, 0)),
        ("test result: ok. 4 passed; 0 failed; 1 ignored\ntest result: ok. 2 passed; 0 failed; 0 ignored", (6, 0, 1)),
        ("everything is fine", (None, 0, 0)),
    ],
)  # fmt: skip
def test_numbers_of_many_programs(said: str, numbers: tuple[int | None, int, int]) -> None:
    assert counted(said)[:3] == numbers


@pytest.mark.parametrize(
    ("exit_code", "said", "tree", "missing", "verdict"),
    [
        (0, "3 passed", "t", (), "verified"),
        (1, "all tests passed, 3 passed", "t", (), "failed"),
        (0, "1 failed, 3 passed", "t", (), "failed"),
        (0, "no tests ran", "t", (), "unverifiable"),
        (5, "no tests ran in 0.01s", "t", (), "unverifiable"),
        (0, "3 skipped", "t", (), "unverifiable"),
        (None, "", "t", (), "unverifiable"),
        (0, "3 passed", "older", (), "stale"),
        (0, "3 passed", "t", ("a.txt",), "failed"),
    ],
)
def test_a_verdict_is_bound_to_exit_count_and_tree(
    exit_code: int | None, said: str, tree: str, missing: tuple[str, ...], verdict: str
) -> None:
    assert judge([Checked(PYTEST, exit_code, said, tree)], (), missing, "t").verdict == verdict


def test_failures_that_were_there_before_are_told_apart() -> None:
    said = "FAILED t.py::test_old - x\nFAILED t.py::test_new - y\n2 failed"
    judged = judge([Checked(PYTEST, 1, said, "t")], ("t.py::test_old",), (), "t")
    assert judged.known == ("t.py::test_old",)
    assert "1 new" in judged.reason
    assert judge([], (), (), "t").verdict == "unverifiable"
    assert judge([Checked(("ruff", "check"), 0, "", "t", "lint")], (), (), "t").verdict == "unverifiable"


def test_the_tree_sees_content_and_not_caches(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("a")
    tree = Tree(tmp_path)
    before = tree.hash()
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x")
    assert tree.hash() == before
    (tmp_path / "b.py").write_text("b")
    (tmp_path / "a.py").unlink()
    assert tree.changed() == ("a.py", "b.py")
    assert tree.hash() != before
    (tmp_path / "b.py").unlink()
    (tmp_path / "a.py").write_text("a")
    assert tree.hash() == before
    assert missing_from(tmp_path, ("*.md", "a.py"), ("a.py",)) == ("*.md",)
    assert named_in("write src/a.py and README.md, see http://x.io/y.html") == ("src/a.py", "README.md")

"""Whether what came is what was asked for: words of the answer, lines of a file, what generated code does."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .cases import Behaves, Catches, Check, Code, Says, Writes

LIMIT_S = 30.0
# Generated code runs in a process of its own, with nothing of ours in reach; what it computed is judged here.
CALLS = """
import json, sys
names = {"__name__": "generated"}
exec(compile(open(sys.argv[1], encoding="utf-8").read(), "generated", "exec"), names)
told = []
for given in json.loads(sys.argv[3]):
    try:
        told.append(names[sys.argv[2]](given))
    except Exception as fault:
        told.append(repr(fault))
print("\\n" + json.dumps(told))
"""
TESTS = """
import json, sys, types
subject = types.ModuleType("clamp")
exec(compile(open(sys.argv[2], encoding="utf-8").read(), "clamp", "exec"), subject.__dict__)
sys.modules["clamp"] = subject
names = {"__name__": "generated"}
exec(compile(open(sys.argv[1], encoding="utf-8").read(), "generated", "exec"), names)
ran = failed = 0
for name, test in list(names.items()):
    if name.startswith("test_") and callable(test):
        ran += 1
        try:
            test()
        except Exception:
            failed += 1
print("\\n" + json.dumps([ran, failed]))
"""


class Fault(NamedTuple):
    code: Code
    why: str


def check(one: Check, answer: str, root: Path, before: Mapping[str, bytes]) -> Fault | None:
    match one:
        case Says():
            lacking = [word for word in one.words if word.lower() not in answer.lower()]
            return Fault("EVIDENCEMISMATCH", f"the answer lacks {', '.join(lacking)}") if lacking else None
        case Writes():
            return _written(one, root, before)
        case Behaves():
            return _behaves(one, root)
        case Catches():
            return _catches(one, root)


def _written(one: Writes, root: Path, before: Mapping[str, bytes]) -> Fault | None:
    path = root / one.path
    if not path.is_file():
        return Fault("EVIDENCEMISMATCH", f"{one.path} was not written")
    kept = before.get(one.path, b"")
    wanted = kept + one.line.encode()
    if path.read_bytes().rstrip(b"\r\n") != wanted:
        return Fault("EVIDENCEMISMATCH", f"{one.path} does not hold what was asked for")
    return None


def _behaves(one: Behaves, root: Path) -> Fault | None:
    if fault := _compiles(root, one.path):
        return fault
    table = json.loads((root / one.table).read_bytes())
    told = _run(CALLS, str(root / one.path), one.function, json.dumps([given for given, _ in table]))
    if not isinstance(told, list) or told != [wanted for _, wanted in table]:
        return Fault("EVIDENCEMISMATCH", f"{one.function} does not do what {one.table} says")
    return None


def _catches(one: Catches, root: Path) -> Fault | None:
    if fault := _compiles(root, one.path):
        return fault
    good = _run(TESTS, str(root / one.path), str(root / one.subject))
    bad = _run(TESTS, str(root / one.path), str(root / one.mutant))
    if not (isinstance(good, list) and good[0] > 0 and good[1] == 0):
        return Fault("EVIDENCEMISMATCH", "the tests do not pass on the subject")
    if not (isinstance(bad, list) and bad[1] > 0):
        return Fault("EVIDENCEMISMATCH", "the tests do not notice the mutant")
    return None


def _compiles(root: Path, path: str) -> Fault | None:
    if not (root / path).is_file():
        return Fault("EVIDENCEMISMATCH", f"{path} was not written")
    try:
        compile((root / path).read_bytes(), path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as fault:
        return Fault("SYNTAXERROR", f"{path} does not compile: {type(fault).__name__}")
    return None


def _run(program: str, *words: str) -> Any:
    with tempfile.TemporaryDirectory() as nowhere:
        try:
            done = subprocess.run(  # noqa: S603 - our own interpreter
                [sys.executable, "-I", "-B", "-c", program, *words], cwd=nowhere, env={"LC_ALL": "C.UTF-8"},
                capture_output=True, timeout=LIMIT_S, stdin=subprocess.DEVNULL, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return None
    try:
        return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None
    except (ValueError, IndexError):
        return None

"""Builds wheel and sdist twice, compares them byte by byte, and installs them where nothing else is.

usage: python scripts/release/packages.py [--out DIR] [--install] [--json]

`--install` looks for the pinned wheels of other platforms, and takes a bare environment for each Python that we
promise, with the pinned wheels and nothing else.
Exit 0: all holds; 1: something does not; 3: something could not be run here.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from rows import Row, tell

from control_plane.proving.pythons import VERSIONS, environment, interpreter

PROJECT = Path(__file__).parents[2]
SOURCES = ("control_plane", "README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml", ".gitignore")
PATIENCE_S = 300
PINS = PROJECT / "requirements" / "base.txt"
PLATFORMS = ("win_amd64", "macosx_13_0_arm64")
# Each build sees another time, another order of hashing, other permissions: none may be seen in what comes out.
SURROUNDINGS: tuple[Mapping[str, str], ...] = (
    {"TZ": "UTC", "PYTHONHASHSEED": "0"},
    {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "31415"},
)
MODES = (0o644, 0o640)


def committed_at(project: Path) -> dict[str, str]:
    """The moment that goes into the files: that of the commit, where there is one."""
    command = ["git", "-C", str(project), "log", "-1", "--format=%ct"]
    try:
        moment = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"SOURCE_DATE_EPOCH": moment}


def build(project: Path, folder: Path, turn: int) -> dict[str, Path]:
    """Wheel and sdist from a copy of the sources; another turn has another place, other times, other permissions."""
    tree = folder / ("tree" * (turn + 1))
    tree.mkdir()
    for name in SOURCES:
        if (project / name).is_dir():
            shutil.copytree(project / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (project / name).exists():
            shutil.copy(project / name, tree / name)
    for path in tree.rglob("*"):
        if path.is_file():
            path.chmod(MODES[turn])
            os.utime(path, (turn * 1e9, turn * 1e9))
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", "out"],
        cwd=tree, env={**os.environ, **SURROUNDINGS[turn], **committed_at(project)},
        check=True, capture_output=True, timeout=PATIENCE_S,
    )  # fmt: skip
    return {path.name: path for path in sorted((tree / "out").iterdir())}


def built_twice(project: Path, out: Path) -> list[Row]:
    """The two files, each with its digest, left in `out` beside SHA256SUMS."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            builds = [build(project, Path(folder), turn) for turn in range(2)]
        except subprocess.CalledProcessError as fault:
            return [Row("build", "fails", fault.stderr.decode(errors="replace").strip().splitlines()[-1])]
        rows, sums = [], []
        for name in sorted(builds[0].keys() | builds[1].keys()):
            digests = [sha256(one[name].read_bytes()).hexdigest() if name in one else "missing" for one in builds]
            rows.append(
                Row(f"reproducible {name}", "holds", f"sha256 {digests[0]}")
                if digests[0] == digests[1]
                else Row(f"reproducible {name}", "fails", f"sha256 {digests[0]}, then {digests[1]}")
            )
            sums.append(f"{digests[0]}  {name}\n")
        out.mkdir(parents=True, exist_ok=True)
        for path in builds[0].values():
            shutil.copy(path, out)
        (out / "SHA256SUMS").write_text("".join(sums), encoding="ascii")
    return rows


def installed(files: Sequence[Path], versions: Sequence[str] = VERSIONS) -> Iterator[Row]:
    """Each file in a bare environment of each version: the command advises, and it is the installed one that does."""
    for version in versions:
        base = interpreter(version)
        if base is None:
            yield Row(f"installs on Python {version}", "not run", "there is none here")
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                python = environment(base, Path(folder) / "bare")
            except (OSError, subprocess.SubprocessError) as fault:
                yield Row(f"installs on Python {version}", "not run", f"no pinned packages: {type(fault).__name__}")
                continue
            for file in files:
                yield tried(python, file, version)


def tried(python: Path, file: Path, version: str) -> Row:
    what = f"{'wheel' if file.suffix == '.whl' else 'sdist'} installs and advises on Python {version}"
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    ours = f"import control_plane, sys; sys.exit(not control_plane.__file__.startswith({str(python.parents[1])!r}))"
    with tempfile.TemporaryDirectory() as folder:
        advise = [str(python.with_name("control-plane")), "advise", "--task-type", "code.fix", "--json"]
        try:
            alone = ["--no-index", "--no-deps", "--no-build-isolation", "--force-reinstall"]
            outside([*pip, "install", *alone, str(file.resolve())], folder)
            outside([*pip, "check"], folder)
            outside([str(python), "-c", ours], folder)
            arm = json.loads(outside([*advise, "--home", f"{folder}/home"], folder))["arm"]
        except subprocess.CalledProcessError as fault:
            told = fault.stderr.strip().splitlines()
            return Row(what, "fails", f"{' '.join(fault.cmd[-3:])}: {told[-1] if told else fault.returncode}")
    return Row(what, "holds", f"advises {arm}")


def outside(command: Sequence[str], folder: str) -> str:
    """Run it where nothing points at this checkout."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}
    clean["CONTROL_PLANE_WITNESS"] = f"{folder}/witness"
    return subprocess.run(  # noqa: S603 - the environment that was just made
        command, cwd=folder, env=clean, check=True, capture_output=True, text=True, timeout=PATIENCE_S
    ).stdout


def elsewhere(pins: Path = PINS, platforms: Sequence[str] = PLATFORMS) -> Iterator[Row]:
    """Whether each pinned package has a wheel for platforms that are not this one; nothing is fetched but names."""
    for platform in platforms:
        what = f"pinned wheels for {platform}"
        command = [
            sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--disable-pip-version-check",
            "--ignore-installed", "--no-deps", "--target", "nowhere", "--platform", platform,
            "--python-version", VERSIONS[-1], "--only-binary", ":all:", "--require-hashes", "-r", str(pins),
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired) as fault:
            yield Row(what, "not run", f"pip did not answer: {type(fault).__name__}")
            continue
        lost = re.findall(r"No matching distribution found for (\S+)", done.stderr)
        if done.returncode == 0:
            yield Row(what, "holds", f"Python {VERSIONS[-1]}, {pins.name}")
        elif lost:
            yield Row(what, "fails", f"none for {', '.join(lost)}")
        else:
            yield Row(what, "not run", (done.stderr.strip().splitlines() or ["pip said nothing"])[-1])


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=PROJECT / "dist", help="where the files go")
    parser.add_argument("--install", action="store_true", help="install them into bare environments too")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    rows = built_twice(PROJECT, options.out)
    if options.install and all(row.state == "holds" for row in rows):
        rows += [*elsewhere(), *installed([options.out / row.what.split()[1] for row in rows])]
    return tell(rows, options.json)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A disk that is slow or full: a library, preloaded into a process, that delays its writes and syncs or refuses them.

`strace -e inject=…` would do the same, but loses track when several threads write, and slows down the rest.
"""

import contextlib
import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Only files are on a disk: a pipe or a terminal takes what it is told.
_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
static volatile long late_ms = 0;
static volatile int full = 0;
void make_disk_slow(long ms) { late_ms = ms; }
void make_disk_full(int is_full) { full = is_full; }
static int on_disk(int f) {
    struct stat s;
    return !fstat(f, &s) && (S_ISREG(s.st_mode) || S_ISDIR(s.st_mode));
}
static void late(int f) {
    struct timespec t = {late_ms / 1000, late_ms % 1000 * 1000000};
    if (late_ms && on_disk(f)) nanosleep(&t, 0);
}
#define BAD(type, name, args, names, refuse) type name args { static type (*real) args; \
    if (!real) real = dlsym(RTLD_NEXT, #name); \
    if (refuse && full && on_disk(f)) { errno = ENOSPC; return -1; } \
    type found = real names; late(f); return found; }
BAD(int, fsync, (int f), (f), 0)
BAD(int, fdatasync, (int f), (f), 0)
BAD(ssize_t, write, (int f, const void *b, size_t n), (f, b, n), 1)
BAD(ssize_t, pwrite, (int f, const void *b, size_t n, off_t o), (f, b, n, o), 1)
BAD(ssize_t, pwrite64, (int f, const void *b, size_t n, off64_t o), (f, b, n, o), 1)
"""


@contextlib.contextmanager
def bad_disk() -> Iterator[str | None]:
    """The library, to be named in LD_PRELOAD; None where it cannot be built or loaded."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "bad.c", str(Path(folder) / "bad.so")
        source.write_text(_SOURCE)
        built = compiler is not None and _runs([compiler, "-shared", "-fPIC", "-o", library, str(source), "-ldl"])
        yield library if built else None


def make_slow(library: str, milliseconds: int) -> None:
    """From inside the process that was started with it: from now on."""
    ctypes.CDLL(library).make_disk_slow(ctypes.c_long(milliseconds))


def make_full(library: str, *, full: bool) -> None:
    """From inside the process that was started with it: no file takes another byte, or all do again."""
    ctypes.CDLL(library).make_disk_full(ctypes.c_int(full))


def _runs(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return False

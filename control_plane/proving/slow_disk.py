"""A disk on which every write and sync takes a while: a library, preloaded into a process, that sleeps in those calls.

`strace -e inject=…:delay_exit` would do the same, but loses track when several threads write, and slows down the rest.
"""

import contextlib
import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/types.h>
#include <time.h>
static volatile long late_ms = 0;
void make_disk_slow(long ms) { late_ms = ms; }
static void late(void) {
    struct timespec t = {late_ms / 1000, late_ms % 1000 * 1000000};
    if (late_ms) nanosleep(&t, 0);
}
#define SLOW(type, name, args, names) type name args { static type (*real) args; \
    if (!real) real = dlsym(RTLD_NEXT, #name); type found = real names; late(); return found; }
SLOW(int, fsync, (int f), (f))
SLOW(int, fdatasync, (int f), (f))
SLOW(ssize_t, write, (int f, const void *b, size_t n), (f, b, n))
SLOW(ssize_t, pwrite, (int f, const void *b, size_t n, off_t o), (f, b, n, o))
SLOW(ssize_t, pwrite64, (int f, const void *b, size_t n, off64_t o), (f, b, n, o))
"""


@contextlib.contextmanager
def slow_disk() -> Iterator[str | None]:
    """The library, to be named in LD_PRELOAD; None where it cannot be built or loaded."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "slow.c", str(Path(folder) / "slow.so")
        source.write_text(_SOURCE)
        built = compiler is not None and _runs([compiler, "-shared", "-fPIC", "-o", library, str(source), "-ldl"])
        yield library if built else None


def make_slow(library: str, milliseconds: int) -> None:
    """From inside the process that was started with it: from now on."""
    ctypes.CDLL(library).make_disk_slow(ctypes.c_long(milliseconds))


def _runs(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return False

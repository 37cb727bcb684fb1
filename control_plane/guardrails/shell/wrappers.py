"""Programs that run the one that stands behind them."""

import os
import re
from typing import TYPE_CHECKING

from .world import UNKNOWN

if TYPE_CHECKING:
    from .reader import Call, Reader

# Wrapper → its options that take a value; what follows its options (and `skip` operands) is a command again.
WRAPPERS: dict[str, tuple[set[str], int]] = {
    "sudo": ({"-u", "-g", "-h", "-p", "-C", "-T", "-D", "-R", "-r", "-t", "--user", "--group"}, 0), "doas": ({"-u", "-C"}, 0),
    "nohup": (set(), 0), "setsid": (set(), 0), "command": (set(), 0), "builtin": (set(), 0),
    "exec": ({"-a"}, 0), "time": ({"-o", "-f"}, 0), "nice": ({"-n"}, 0), "ionice": ({"-c", "-n", "-p"}, 0),
    "stdbuf": ({"-i", "-o", "-e"}, 0), "timeout": ({"-s", "-k"}, 1), "chronic": (set(), 0), "unbuffer": (set(), 0),
    "busybox": (set(), 0), "toybox": (set(), 0), "watch": ({"-n", "-d"}, 0), "strace": ({"-o", "-e", "-p"}, 0),
    "ltrace": ({"-o", "-e"}, 0), "chrt": (set(), 1), "taskset": (set(), 1), "flock": ({"-w", "-E"}, 1),
    "unshare": (set(), 0), "proot": ({"-w", "-b", "-r"}, 0), "fakeroot": (set(), 0), "firejail": (set(), 0),
    "caffeinate": (set(), 0), "prlimit": (set(), 0), "runuser": ({"-u", "-g", "--user", "--group"}, 0), "chroot": (set(), 1),
    "dumb-init": (set(), 0), "tini": (set(), 0), "env": ({"-u", "-C", "-S"}, 0), "xargs": (
        {"-I", "-n", "-P", "-L", "-d", "-a", "-E", "-s"}, 0), "parallel": ({"-j", "-a"}, 0),
    "setarch": (set(), 0), "linux64": (set(), 0), "noglob": (set(), 0), "nocorrect": (set(), 0), "rtk": (set(), 0),
    "entr": (set(), 0), "script": (set(), 0), "coproc": (set(), 0), "uv": (set(), 0), "poetry": (set(), 0),
    "systemd-run": ({"-p", "-u", "-E", "-M", "-H"}, 0), "npx": ({"-p", "--package", "-w"}, 0),
    "choom": ({"-n", "-p"}, 0), "setpriv": (set(), 0), "nsenter": ({"-t", "-S", "-G"}, 0), "cgexec": ({"-g"}, 0), "numactl": ({"-N", "-m", "-C", "-i"}, 0),
    "eatmydata": (set(), 0), "catchsegv": (set(), 0), "hyperfine": ({"-w", "-m", "-M", "-r", "-S"}, 0), "rlwrap": (set(), 0), "xvfb-run": ({"-n", "-s", "-e", "-f", "-p"}, 0),
    "dbus-run-session": (set(), 0), "faketime": (set(), 1), "gosu": (set(), 1), "su-exec": (set(), 1), "cross-env": (set(), 0), "concurrently": ({"-n", "-c"}, 0),
    "npm-run-all": (set(), 0), "dotenv-run": (set(), 0), "proxychains": (set(), 0), "torsocks": (set(), 0), "setuidgid": (set(), 1), "logsave": (set(), 1), "shx": (set(), 0), "bunx": (set(), 0), "pipx": (set(), 0), "bundle": (set(), 0), "rye": (set(), 0), "pdm": (set(), 0),
}  # fmt: skip
# Loaders of programs: their first operand is one.
LOADERS = ("ld-linux", "ld.so", "ld-musl")
_VALUED = frozenset((
    "--signal", "--kill-after", "--adjustment", "--chdir", "--output", "--input", "--error", "--class", "--classdata",
    "--unset", "--interval", "--working-directory", "--directory", "--reuid", "--regid", "--library-path", "--preload", "--max-args", "--max-procs",
    "--delimiter", "--arg-file", "--jobs", "--timeout", "--log-out", "--log-in", "--log-io", "--log-timing", "--warmup", "--python", "--with",
))  # fmt: skip
_FOLDER = {
    "env": ("-C", "--chdir"), "sudo": ("-D", "--chdir"), "unshare": ("--wd",), "systemd-run": ("--working-directory",), "proot": ("-w", "--cwd"),
    "uv": ("--directory",), "poetry": ("-C", "--directory"), "nsenter": ("--wd",),
}  # fmt: skip
_SCRIPTED = ("watch", "flock", "hyperfine", "concurrently", "npm-run-all")
# Durations, priorities and signals are no programs.
_NO_PROGRAM = re.compile(r"^(?:[\d.,:+-]+[smhdkKMGL]?|[A-Z]{1,8}\d?)$")


def wrapped(reader: "Reader", call: "Call", name: str) -> str | None:
    words, held = call.words, reader.cwd
    at, script = _wrapper_words(reader, words, name)
    for word in words[1:at]:
        if "=" not in word or word.startswith("-"):
            reader.mention(word, name)
    try:
        if script is not None:
            return reader.script(script)
        return _inner(reader, call._replace(cwd=reader.cwd), name, words[at:], words[1:at])
    finally:
        reader.cwd = held


def _inner(reader: "Reader", call: "Call", name: str, rest: list[str], own: list[str]) -> str | None:
    """The command that stands behind a wrapper's own words."""
    from .programs import run

    if name == "script" and rest:
        for one in rest:
            reader.mention(one, name)
        reader.write(rest[-1], None, "script")
        if "-c" in rest[:-1]:
            reader.script(rest[rest.index("-c") + 1])
        return None
    if name == "command" and any(word in ("-v", "-V") for word in own):
        return (rest[0] if rest else "") + "\n"
    if not rest:
        return "" if name in ("exec", "env") else None
    if name in _SCRIPTED and (len(rest) == 1 or " " in rest[0]):
        for one in rest:
            reader.script(one)
        return None
    if name == "parallel" and len(rest) == 1:
        rest = rest[0].split()
    if name in ("xargs", "parallel"):
        rest = _with_arguments(reader, rest, call.words, call.stdin)
    return run(reader, call._replace(words=rest)) if rest and rest[0] else None


def _wrapper_words(reader: "Reader", words: list[str], name: str) -> tuple[int, str | None]:
    """How far the words are the wrapper's own, or the script that one of its options carries."""
    valued, skip = WRAPPERS.get(name, (set(), 0))
    at = 1
    while at < len(words):
        word = words[at]
        if (script := _carried_script(name, words, at)) is not None:
            return at, script
        _goes_to(reader, words, at)
        if word in valued or word in _VALUED or (re.match(r"^-[a-zA-Z]{2,}$", word) and f"-{word[-1]}" in valued):
            at += 2
        elif name in ("env", "cross-env", "sudo") and re.match(r"^\w+=", word):
            reader.assign(word.partition("=")[0], [word.partition("=")[2]])
            at += 1
        elif word.startswith("-") or word in (":::", "run", "exec"):
            at += 1
        elif skip:
            skip, at = skip - 1, at + 1
        elif at + 1 < len(words) and _NO_PROGRAM.match(word):
            at += 1
        else:
            break
    return min(at, len(words)), None


def _goes_to(reader: "Reader", words: list[str], at: int) -> None:
    """An option by which the wrapped command starts in another folder."""
    option, sign, value = words[at].partition("=")
    if option in _FOLDER.get(os.path.basename(words[0]), ()):
        place = value if sign else (words[at + 1] if at + 1 < len(words) else "")
        if UNKNOWN in place:
            reader.opaque.append("the command goes to a folder that only it knows")
        elif place:
            reader.cwd = reader.world.absolute(place, reader.cwd)


def _carried_script(name: str, words: list[str], at: int) -> str | None:
    option, more = words[at], at + 1 < len(words)
    if name in ("npx", "bunx") and (option in ("-c", "--call") and more):
        return words[at + 1]
    if name in ("npx", "bunx") and option.startswith("--call="):
        return option.partition("=")[2]
    if name == "env" and option.startswith("--split-string="):
        return " ".join([option.partition("=")[2], *words[at + 1 :]])
    if name == "env" and option in ("-S", "--split-string") and more:
        return " ".join(words[at + 1 :])
    if name == "env" and option.startswith("-S"):
        return " ".join([option[2:], *words[at + 1 :]])
    if name in ("script", "flock") and option in ("-c", "-qc", "--command") and more:
        return words[at + 1]
    return None


def _with_arguments(reader: "Reader", rest: list[str], words: list[str], stdin: str | None) -> list[str]:
    """What `xargs` puts behind the command, or in the place of its `-I` mark."""
    if ":::" in rest:
        given, rest = rest[rest.index(":::") + 1 :], rest[: rest.index(":::")]
    else:
        given = (stdin if stdin is not None else UNKNOWN).replace("\0", " ").split() or [""]
    mark = next((words[at + 1] for at, word in enumerate(words[:-1]) if word == "-I"), None)
    mark = mark or next((word[2:] for word in words if word.startswith("-I") and len(word) > 2), None) or "{}"
    if any(mark in word for word in rest):
        reader.world.effort.spend(text=len(rest) * sum(map(len, given)))
        return [word.replace(mark, one) for word in rest for one in (given if mark in word else [""])]
    return [*rest, *given]

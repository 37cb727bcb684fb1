"""Programs that have another one run: under another name, in another terminal, at another time."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .reader import Call, Reader

_TMUX = ("new-session", "new", "new-window", "neww", "split-window", "splitw", "respawn-pane", "respawnp", "run-shell", "run",
         "send-keys", "send", "if-shell", "pipe-pane", "pipep", "popup", "display-popup")  # fmt: skip
_VALUED = ("-s", "-n", "-t", "-c", "-F", "-x", "-y", "-S", "-L", "-f", "-l", "-p", "-e", "-T", "-h", "-w")
# Options whose value is a command, or a file with commands.
_STARTS: dict[str, tuple[str, ...]] = {
    "tar": ("-I", "--use-compress-program", "--to-command", "-F", "--info-script", "--new-volume-script", "--rsh-command", "--checkpoint-action"),
    "split": ("--filter",), "sort": ("--compress-program",), "rsync": ("-e", "--rsh", "--rsync-path"), "ssh": ("-o",), "scp": ("-S", "-o"), "sftp": ("-S", "-o"),
    "zip": ("-TT", "--unzip-command"), "man": ("-P", "--pager", "-H"), "npm": ("-c", "--call"), "pnpm": ("-c",), "nodemon": ("-x", "--exec"), "rg": ("--pre",),
    "bat": ("--pager",), "fzf": ("--preview",), "make": ("SHELL",), "gh": ("--pager",), "watchexec": ("--",), "git": ("--upload-pack", "--receive-pack", "--exec", "-u"),
    "go": ("-exec", "-toolexec", "-vettool"), "cargo": ("--config",), "gdb": ("-ex", "--eval-command", "-iex"), "lldb": ("-o",), "entr": ("-s",),
}  # fmt: skip
_KEYS = re.compile(
    r"^(?:exec|ProxyCommand|LocalCommand|RemoteCommand|KnownHostsCommand)[= ]|^(?:shell|!|platform shell|pipe) *|^target\\.\\S+=",
    re.IGNORECASE,
)


def started(reader: "Reader", call: "Call", name: str) -> None:
    """The commands that stand in a program's options."""
    if name == "dotenv" and {"set", "unset"} & set(call.words):
        reader.mention(".env", name)
    options = _STARTS.get("tar" if name == "bsdtar" else name, ())
    for at, word in enumerate(call.words[1:] if options else (), 1):
        option, sign, value = word.partition("=")
        short = next((one for one in options if len(one) == 2 and word.startswith(one) and word != one), None)
        if option in options and not sign:
            value = " ".join(call.words[at + 1 : at + 2])
        elif short is not None:
            value = word[2:]
        elif option not in options:
            continue
        if name not in ("ssh", "scp", "sftp", "gdb", "lldb") or _KEYS.match(value):
            reader.script(_KEYS.sub("", value, count=1))


def alias(reader: "Reader", call: "Call") -> str | None:
    for word in call.words[1:]:
        name, sign, text = word.partition("=")
        if sign:
            reader.aliases[name] = text
    return ""


def multiplexer(reader: "Reader", call: "Call") -> str | None:
    """What tmux and screen are to run, or to have typed into a terminal."""
    rest = call.words[1:]
    if call.words[0].endswith("tmux"):
        at = next((at for at, word in enumerate(rest) if word in _TMUX), None)
        if at is None:
            return None
        rest = rest[at + 1 :]
    while rest and rest[0].startswith("-"):
        rest = rest[2 if rest[0] in _VALUED else 1 :]
    if rest[:1] == ["stuff"]:
        rest = rest[1:]
    keys = [word for word in rest if word not in ("Enter", "C-m", "C-c", "Escape", "Space")]
    reader.script(" ".join(keys))
    for one in keys:
        if " " in one:
            reader.script(one)
    return ""


def fed_later(reader: "Reader", call: "Call") -> str | None:
    """`at` and `batch` run what they are fed, or the file of -f."""
    words = call.words
    if "-f" in words[:-1]:
        within, text, _ = reader.to_run(words[words.index("-f") + 1], call.cwd)
        return within.script(text) if text is not None else None
    return reader.script(call.stdin) if call.stdin is not None else ""


def substitute_user(reader: "Reader", call: "Call") -> str | None:
    for at, word in enumerate(call.words[:-1]):
        if word in ("-c", "--command"):
            return reader.script(call.words[at + 1])
    return reader.script(call.stdin) if call.stdin is not None else None


def spawned(reader: "Reader", call: "Call") -> str | None:
    """What an expect script spawns."""
    words = call.words
    within, text = reader, words[words.index("-c") + 1] if "-c" in words[:-1] else call.stdin
    if text is None and len(words) > 1:
        within, text, _ = reader.to_run(words[-1], call.cwd)
    for command in re.findall(r"(?:^|[;\n{])[^\S\n]*(?:spawn|exec|system)\s+(?:-\w+\s+)*([^;\n}]+)", text or ""):
        within.script(command)
    return None

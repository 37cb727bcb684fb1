"""What the programs write that a shell command may call: wrappers, shells, interpreters, tools that edit files."""

import json
import os
import re
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING

from .code import read_code
from .lexer import unescape
from .world import UNKNOWN

if TYPE_CHECKING:
    from .reader import Call, Reader

Program = Callable[["Reader", "Call"], "str | None"]
SHELLS = {"sh", "bash", "dash", "zsh", "ksh", "ash", "mksh", "fish", "rbash"}
_CODE_FLAGS = {"-c", "-e", "-p", "-r", "-E", "--eval", "--print", "-pe", "-ne", "--execute", "--command", "-x"}
_INTERPRETER = re.compile(
    r"^(?:python|pypy|ruby|perl|node|nodejs|php|lua|luajit|Rscript|tclsh|osascript|ipython|bun|deno|tsx|ts-node|jshell|groovy|elixir|swift"
    r"|guile|julia|scala|clojure|bb|emacs|vim|vi|nvim|ex|ed|gawk|awk|mawk|nawk|sqlite3|pwsh|powershell)[\d.]*$"
)
_OUTPUT = re.compile(r"^(?:-o|--?(?:[a-z0-9-]+_)?out(?:[_-]?(?:put|file|dir|folder|path))*)$", re.IGNORECASE)
# Wrapper → its options that take a value; what follows its options (and `skip` operands) is a command again.
WRAPPERS: dict[str, tuple[set[str], int]] = {
    "sudo": ({"-u", "-g", "-h", "-p", "-C", "-T", "-D", "-R", "-r", "-t"}, 0), "doas": ({"-u", "-C"}, 0),
    "nohup": (set(), 0), "setsid": (set(), 0), "command": (set(), 0), "builtin": (set(), 0),
    "exec": ({"-a"}, 0), "time": ({"-o", "-f"}, 0), "nice": ({"-n"}, 0), "ionice": ({"-c", "-n", "-p"}, 0),
    "stdbuf": ({"-i", "-o", "-e"}, 0), "timeout": ({"-s", "-k"}, 1), "chronic": (set(), 0), "unbuffer": (set(), 0),
    "busybox": (set(), 0), "toybox": (set(), 0), "watch": ({"-n", "-d"}, 0), "strace": ({"-o", "-e", "-p"}, 0),
    "ltrace": ({"-o", "-e"}, 0), "chrt": (set(), 1), "taskset": (set(), 1), "flock": ({"-w", "-E"}, 1),
    "unshare": (set(), 0), "proot": ({"-w", "-b", "-r"}, 0), "fakeroot": (set(), 0), "firejail": (set(), 0),
    "caffeinate": (set(), 0), "prlimit": (set(), 0), "runuser": ({"-u", "-g"}, 0), "chroot": (set(), 1),
    "dumb-init": (set(), 0), "tini": (set(), 0), "env": ({"-u", "-C", "-S"}, 0), "xargs": (
        {"-I", "-n", "-P", "-L", "-d", "-a", "-E", "-s"}, 0), "parallel": ({"-j", "-a"}, 0),
    "setarch": (set(), 0), "linux64": (set(), 0), "noglob": (set(), 0), "nocorrect": (set(), 0), "rtk": (set(), 0),
    "entr": (set(), 0), "script": (set(), 0), "coproc": (set(), 0), "uv": (set(), 0), "poetry": (set(), 0),
    "systemd-run": ({"-p", "-u", "-E", "-M", "-H"}, 0), "npx": (set(), 0), "shx": (set(), 0), "bunx": (set(), 0), "pipx": (set(), 0), "bundle": (set(), 0), "rye": (set(), 0), "pdm": (set(), 0),
}  # fmt: skip


def run(reader: "Reader", call: "Call") -> str | None:
    """Read one simple command; answers what it prints, None when that cannot be foretold."""
    words = call.words
    if UNKNOWN in words[0]:
        reader.opaque.append("which program runs is known to the running command only")
        return None
    name = os.path.basename(words[0])
    if name in reader.functions:
        positional, reader.words.positional = reader.words.positional, words
        reader._depth += 1
        try:
            return reader._run(reader.functions[name]) if reader._depth < 12 else UNKNOWN
        finally:
            reader._depth -= 1
            reader.words.positional = positional
    if name in reader.aliases:
        text = reader.aliases.pop(name)
        try:
            return reader.script(" ".join([text, *map(shlex.quote, words[1:])]))
        finally:
            reader.aliases[name] = text
    from . import editors, tools

    if name in WRAPPERS:
        return _wrapped(reader, call, name)
    if name in SHELLS:
        return _shell(reader, call)
    if name in (".", "source"):
        return _sourced(reader, call)
    if _INTERPRETER.match(name):
        return editors.editor(reader, call, name) or _interpreter(reader, call, name)
    if (known := tools.PROGRAMS.get(name)) is not None:
        return known(reader, call)
    if name in ("npm", "pnpm", "yarn", "bun"):
        return _package_script(reader, call)
    return _program(reader, call)


def _wrapped(reader: "Reader", call: "Call", name: str) -> str | None:
    words = call.words
    at, script = _wrapper_words(reader, words, name)
    if script is not None:
        return reader.script(script)
    rest = words[at:]
    if name == "script" and rest:
        reader.write(rest[-1], None, "script")
        return None
    if name == "command" and any(word in ("-v", "-V") for word in words[1:at]):
        return (rest[0] if rest else "") + "\n"
    if not rest:
        return "" if name in ("exec", "env") else None
    if name in ("watch", "flock") and len(rest) == 1:
        return reader.script(rest[0])
    if name == "parallel" and len(rest) == 1:
        rest = rest[0].split()
    if name in ("xargs", "parallel"):
        rest = _with_arguments(rest, words, call.stdin)
    return run(reader, call._replace(words=rest))


def _wrapper_words(reader: "Reader", words: list[str], name: str) -> tuple[int, str | None]:
    """How far the words are the wrapper's own, or the script that one of its options carries."""
    valued, skip = WRAPPERS[name]
    at = 1
    while at < len(words):
        word = words[at]
        if (script := _carried_script(name, words, at)) is not None:
            return at, script
        if name == "env" and word == "-C" and at + 1 < len(words):
            reader.cwd = reader.world.absolute(words[at + 1], reader.cwd)
        if name in ("strace", "time", "ltrace") and word == "-o" and at + 1 < len(words):
            reader.write(words[at + 1], None, name)
        if word in valued or (re.match(r"^-[a-zA-Z]{2,}$", word) and f"-{word[-1]}" in valued):
            at += 2
        elif name == "env" and re.match(r"^\w+=", word):
            reader.assign(word.partition("=")[0], [word.partition("=")[2]])
            at += 1
        elif word.startswith("-") or word in (":::", "run", "exec"):
            at += 1
        elif skip:
            skip, at = skip - 1, at + 1
        else:
            break
    return at, None


def _carried_script(name: str, words: list[str], at: int) -> str | None:
    option, more = words[at], at + 1 < len(words)
    if name == "env" and option in ("-S", "--split-string") and more:
        return " ".join(words[at + 1 :])
    if name == "env" and option.startswith("-S"):
        return " ".join([option[2:], *words[at + 1 :]])
    if name in ("script", "flock") and option in ("-c", "-qc", "--command") and more:
        return words[at + 1]
    return None


def _with_arguments(rest: list[str], words: list[str], stdin: str | None) -> list[str]:
    """What `xargs` puts behind the command, or in the place of its `-I` mark."""
    if ":::" in rest:
        given, rest = rest[rest.index(":::") + 1 :], rest[: rest.index(":::")]
    else:
        given = (stdin if stdin is not None else UNKNOWN).replace("\0", " ").split() or [""]
    mark = next((words[at + 1] for at, word in enumerate(words[:-1]) if word == "-I"), None)
    mark = mark or next((word[2:] for word in words if word.startswith("-I") and len(word) > 2), None) or "{}"
    if any(mark in word for word in rest):
        return [word.replace(mark, one) for word in rest for one in (given if mark in word else [""])]
    return [*rest, *given]


def _shell(reader: "Reader", call: "Call") -> str | None:
    words = call.words
    at = 1
    while at < len(words) and (words[at][:1] in "-+" and words[at] not in ("-", "--")):
        if words[at][:1] == "-" and not words[at].startswith("--") and "c" in words[at][1:]:
            rest = words[at + 1 :]
            while rest and rest[0].startswith("-"):
                rest.pop(0)
            return reader.script(rest[0], rest[1:] or ["sh"]) if rest else None
        at += 2 if words[at] in ("-o", "+o", "-O", "+O", "--rcfile", "--init-file") else 1
    at += at < len(words) and words[at] == "--"
    if at < len(words) and words[at] not in ("-", "/dev/stdin") and not words[at].startswith("/dev/fd/"):
        return _script_file(reader, call, words[at:])
    if at < len(words) and words[at].startswith("/dev/fd/"):
        reader.opaque.append("a shell runs the output of another command")
        return None
    return _fed(reader, call.stdin, words[at:])


def _fed(reader: "Reader", stdin: str | None, positional: list[str]) -> str | None:
    if stdin is None:
        return ""
    return reader.script(stdin, positional or ["sh"])


def _sourced(reader: "Reader", call: "Call") -> str | None:
    if len(call.words) < 2:
        return ""
    if call.words[1].startswith("/dev/fd/"):
        reader.opaque.append("a shell sources the output of another command")
        return None
    if call.words[1] in ("/dev/stdin", "-"):
        return _fed(reader, call.stdin, [])
    return _script_file(reader, call, call.words[1:])


def _script_file(reader: "Reader", call: "Call", words: list[str]) -> str | None:
    """A script's own text, when it can be read; one from before the session is the project's own affair."""
    text, young = reader.file(words[0], call.cwd)
    if text is None:
        if reader.world.absolute(words[0], call.cwd) in reader.drafts:
            reader.opaque.append("a script runs whose text only the running command knows")
        return None
    first = text[:200].partition("\n")[0]
    if first.startswith("#!") and not any(shell in first for shell in ("sh", "env -S bash")):
        return _inline(reader, call, text, words[1:], strict=young)
    kept = len(reader.opaque)
    printed = reader.script(text, words)
    if not young:
        del reader.opaque[kept:]
    return printed


def _code_among_options(words: list[str]) -> tuple[list[str], int]:
    """The code that stands among an interpreter's options, and where these end; `-m` is the last of them."""
    at, code = 1, list[str]()
    while at < len(words) and words[at].startswith("-") and words[at] not in ("-", "-m"):
        word = words[at]
        # `-ne 'code'`, `-c'code'`, `-i.bak`: the code may stand in the same word or in the next one.
        if word in _CODE_FLAGS or re.match(r"^-[a-zA-Z0-9]*[ceEr]$", word):
            code += words[at + 1 : at + 2]
            at += 2
        elif joined := re.match(
            r"^(?:--(?:eval|print|execute)=|-[cer](?=[^a-zA-Z0-9]|\w+[ (.]))(.+)$", word, re.DOTALL
        ):
            code.append(joined[1])
            at += 1
        else:
            at += 2 if word in ("-W", "-X", "--require", "-I", "-M", "--loader", "--import") else 1
    return code, at


def _interpreter(reader: "Reader", call: "Call", name: str) -> str | None:
    words = call.words
    inline, at = _code_among_options(words)
    if words[at : at + 1] == ["-m"]:
        return _module(reader, call, words[at + 1 :])
    if inline:
        return _inline(reader, call, "\n".join(inline), words[at:], strict=True)
    operands = words[at:]
    operands = operands[1:] if operands[:1] == ["eval"] and name in ("deno", "bun") else operands
    if operands[:1] == ["run"] and name in ("deno", "bun"):
        operands = [word for word in operands[1:] if not word.startswith("-")]
    if not operands or operands[0] in ("-", "/dev/stdin"):
        return _inline(reader, call, call.stdin, operands[1:], strict=True) if call.stdin is not None else None
    if operands[0].startswith("/dev/fd/"):
        reader.opaque.append(f"{name} runs the output of another command")
        return None
    text, young = reader.file(operands[0], call.cwd)
    if text is None:
        if words[1:2] == ["eval"]:
            return _inline(reader, call, operands[0], operands[1:], strict=True)
        if reader.world.absolute(operands[0], call.cwd) in reader.drafts:
            reader.opaque.append(f"{name} runs a text that only the running command knows")
        return None
    return _inline(reader, call, text, operands[1:], strict=young)


def _inline(reader: "Reader", call: "Call", text: str | None, arguments: list[str], *, strict: bool) -> str | None:
    """Code of an interpreter; `strict` when an agent may have just written it."""
    if text is None or UNKNOWN in text:
        reader.opaque.append("an interpreter is given a text that only the running command knows")
        return None
    code = read_code(text)
    if not strict:
        return None
    if code.hidden:
        reader.opaque.append("inline code hides what it writes")
    # A literal may be a place to write to, and so may an argument or what it reads.
    named = [*code.texts, *((*arguments, *(call.stdin or "").split()[:200]) if code.writes else ())]
    for one in dict.fromkeys(named):
        if one and one.isprintable() and UNKNOWN not in one and len(one) < 1000:
            _maybe(reader, one, text)
    for command in code.commands:
        kept = len(reader.opaque)
        reader.script(command, depth=3)
        del reader.opaque[kept:]
    return None


def _maybe(reader: "Reader", path: str, text: str) -> None:
    held = dict(reader.drafts)
    place = re.sub(r"^file:(?://)?", "", path)
    reader.write(place, text, "inline code", tree=reader.world.is_folder(reader.world.absolute(place, reader.cwd)))
    reader.drafts = held


def _module(reader: "Reader", call: "Call", words: list[str]) -> str | None:
    """`python -m`: formatters and the like are programs of their own."""
    if not words:
        return None
    from . import tools

    known = tools.PROGRAMS.get(words[0])
    return known(reader, call._replace(words=words)) if known else None


def _package_script(reader: "Reader", call: "Call") -> str | None:
    """`npm run x` is what package.json says that it is; `npm exec x` is x."""
    words = [word for word in call.words[1:] if not word.startswith("-")]
    if words[:1] in (["exec"], ["x"], ["dlx"]):
        at = call.words.index(words[0]) + 1
        rest = [word for at, word in enumerate(call.words[at:]) if word != "--"]
        return run(reader, call._replace(words=rest)) if rest else None
    name = words[1] if words[:1] in (["run"], ["run-script"]) and len(words) > 1 else (words[0] if words else "")
    text, young = reader.file("package.json", call.cwd)
    try:
        scripts = json.loads(text or "{}").get("scripts", {})
        script = scripts.get(name) if isinstance(scripts, dict) else None
    except (ValueError, AttributeError, RecursionError):
        return None
    if young and isinstance(script, str):
        behind = call.words[call.words.index("--") + 1 :] if "--" in call.words else []
        return reader.script(" ".join([script, *behind]), depth=3)
    return None


def _program(reader: "Reader", call: "Call") -> str | None:
    """A file that is run by its path is read like a script; any other program is unknown to us."""
    if "/" in call.words[0]:
        text, young = reader.file(call.words[0], call.cwd)
        draft = reader.world.absolute(call.words[0], call.cwd) in reader.drafts
        if (text is not None and "\0" not in text and young) or draft:
            return _script_file(reader, call, call.words)
    _results(reader, call)
    return None


def _results(reader: "Reader", call: "Call") -> None:
    """Where a program that we do not know says that it puts what it makes."""
    words = call.words
    for at, word in enumerate(words[1:], 1):
        name, sign, value = word.partition("=")
        if _OUTPUT.match(name):
            place = value if sign else (words[at + 1] if at + 1 < len(words) else "")
            reader.write(place, None, words[0], tree=UNKNOWN not in place and reader.world.is_folder(
                reader.world.absolute(place, call.cwd)))  # fmt: skip


def printed_by_echo(words: list[str]) -> str:
    escapes, newline = False, "\n"
    while words and re.match(r"^-[neE]+$", words[0]):
        escapes, newline = escapes or "e" in words[0], "" if "n" in words[0] else newline
        words = words[1:]
    text = " ".join(words)
    return (unescape(text) if escapes or "\\" in text else text) + newline


def printed_by_printf(words: list[str]) -> str:
    if not words:
        return ""
    shape, values = unescape(words[0]), list(words[1:])
    out, rounds = "", 0
    while rounds < 64:
        rounds += 1
        pieces = re.split(r"(%(?:[-+ #0]*\d*(?:\.\d+)?[sdibqcuxX]|%))", shape)
        for piece in pieces:
            if piece == "%%":
                out += "%"
            elif re.match(r"^%.*[sdibqcuxX]$", piece):
                value = values.pop(0) if values else ""
                out += unescape(value) if piece.endswith("b") else value
            else:
                out += piece
        if not values or len(pieces) == 1:
            break
    return out

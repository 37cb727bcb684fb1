"""Interpreters: where their code stands, and what it means for the files around it."""

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote

from .archives import unpack
from .calls import only_reads
from .code import joined_texts, read_code
from .world import UNKNOWN

if TYPE_CHECKING:
    from .reader import Call, Reader

_CODE_FLAGS = {"-c", "-e", "-p", "-r", "-E", "--eval", "--print", "-pe", "-ne", "--execute", "--command", "-x"}
INTERPRETER = re.compile(
    r"^(?:python|pypy|ruby|perl|node|nodejs|php|lua|luajit|Rscript|tclsh|osascript|ipython|bun|deno|tsx|ts-node|jshell|groovy|elixir|swift"
    r"|guile|julia|scala|clojure|bb|emacs|vim|vi|nvim|ex|ed|gawk|awk|mawk|nawk|sqlite3|pwsh|powershell)[\d.]*$"
)
_LOADED = ("-r", "--require", "--import", "--loader", "--experimental-loader", "-M", "-d", "--preload")
_ENDINGS = (".js", ".cjs", ".mjs", ".ts", ".rb", ".pl", ".lua", ".php")
_IMPORTED = re.compile(
    r"(?:^|[;\n])[^\S\n]*(?:from\s+([\w.]+)\s+import|import\s+([\w.]+))"
    r"|\b(?:require|require_relative|load|import|run_path|do|dofile|include|include_once|require_once|from|source)\s*(?:\(\s*)?['\"]([\w./-]+)['\"]"
)
# Where a call is a word with parentheses behind it; elsewhere any word may be one.
_PARENTHESES = re.compile(r"^(?:python|pypy|ipython|node|nodejs|deno|bun|tsx|ts-node|php|Rscript|julia|env)")


def _code_among_options(words: list[str]) -> tuple[list[str], int]:
    """The code that stands among an interpreter's options, and where these end; `-m` is the last of them."""
    at, code = 1, list[str]()
    while at < len(words) and words[at].startswith("-") and words[at] not in ("-", "-m"):
        word = words[at]
        # `-ne 'code'`, `-c'code'`, `-i.bak`: the code may stand in the same word or in the next one.
        if word in _CODE_FLAGS or re.match(r"^-(?![rMI]\w\w)[a-zA-Z0-9]*[ceEr]$", word):
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


def interpreter(reader: "Reader", call: "Call", name: str) -> str | None:
    words = call.words
    code, at = _code_among_options(words)
    _own_options(reader, call, name, words[1:at], code)
    if words[at : at + 1] == ["-m"]:
        return _module(reader, call, words[at + 1 :])
    if code:
        return inline(reader, call, "\n".join(code), words[at:], strict=True)
    operands = words[at:]
    operands = operands[1:] if operands[:1] == ["eval"] and name in ("deno", "bun") else operands
    if operands[:1] == ["run"] and name in ("deno", "bun"):
        operands = [word for word in operands[1:] if not word.startswith("-")]
    if not operands or operands[0] in ("-", "/dev/stdin"):
        return inline(reader, call, call.stdin, operands[1:], strict=True) if call.stdin is not None else None
    if operands[0].startswith("/dev/fd/"):
        reader.opaque.append("an interpreter runs the output of another command")
        return None
    within, text, young = reader.to_run(operands[0], call.cwd)
    if text is None:
        if words[1:2] == ["eval"]:
            return inline(reader, call, operands[0], operands[1:], strict=True)
        if reader.world.absolute(operands[0], call.cwd) in reader.drafts:
            reader.opaque.append("an interpreter runs a text that only the running command knows")
        return None
    inline(within, call, text, operands[1:], strict=young)
    reader.blur(within)
    return None


def _own_options(reader: "Reader", call: "Call", name: str, words: list[str], code: list[str]) -> None:
    """What is loaded before the code, and where profiles and reports go."""
    for at, word in enumerate(words):
        if word in code:
            continue
        option, sign, value = word.partition("=")
        if option in _LOADED:
            value = value if sign else " ".join(words[at + 1 : at + 2])
        elif re.match(r"^-[rM](?=\W|\w{3}).+$", word):
            value = word[2:]
        else:
            reader.mention(word, name)
            continue
        _loaded(reader, call, re.sub(r"^auto_(?:pre|ap)pend_file=", "", value))


def _loaded(reader: "Reader", call: "Call", value: str) -> None:
    if value.startswith("data:"):
        inline(reader, call, unquote(value.partition(",")[2]), [], strict=True)
        return
    for ending in ("", ".js", ".cjs", ".mjs", ".rb", ".pm", ".lua"):
        within, text, young = reader.to_run(value.partition("?")[0] + ending, call.cwd)
        if text is not None:
            inline(within, call, text, [], strict=young)


def inline(reader: "Reader", call: "Call", text: str | None, arguments: list[str], *, strict: bool) -> str | None:
    """Code of an interpreter; `strict` when an agent may have just written it."""
    if text is None or UNKNOWN in text:
        reader.opaque.append("an interpreter is given a text that only the running command knows")
        return None
    paren_less = not _PARENTHESES.match(os.path.basename(call.words[0]))
    code = read_code(text, paren_less=paren_less)
    if not strict:
        if code.writes or code.hidden or code.commands:
            for word in arguments:
                reader.mention(word, "a script")
        return None
    if code.hidden:
        reader.opaque.append("inline code hides what it writes")
    # A literal may be a place to write to, and so may an argument or what it reads.
    named = [*code.texts, *((*arguments, *(call.stdin or "").split()[:200]) if code.writes else ())]
    for one in dict.fromkeys(named):
        if one and one.isprintable() and UNKNOWN not in one and len(one) < 1000:
            _maybe(reader, one, text)
    if not code.writes and not only_reads(text, paren_less=paren_less):
        for one in (text, *joined_texts(text), *arguments, call.stdin or ""):
            reader.mention(one, "inline code")
    _brought_in(reader, call, text)
    _commands(reader, code.commands)
    return None


def _brought_in(reader: "Reader", call: "Call", text: str) -> None:
    """Code of this session that other code loads: only the guarded places in it count."""
    for names in _IMPORTED.findall(text):
        module = names[0] or names[1]
        endings = _ENDINGS if "." not in os.path.basename(names[2]) else ("",)
        files = [module.replace(".", "/") + ".py"] if module else [names[2] + ending for ending in endings]
        for file in files:
            place = reader.world.absolute(file, call.cwd)
            if place not in reader.drafts and not reader.world.is_file(place):
                continue
            _, brought, young = reader.to_run(place, call.cwd)
            if brought is not None and young and (read_code(brought).writes or not only_reads(brought)):
                for one in (brought, *joined_texts(brought)):
                    reader.mention(one, "code that is loaded")


def _commands(reader: "Reader", texts: Sequence[str]) -> None:
    """Texts of which some may be given to a shell: only what is surely a command says something."""
    guessed, reader.guessing = reader.guessing, True
    for text in texts:
        kept = len(reader.opaque)
        reader.script(text, depth=3)
        del reader.opaque[kept:]
    reader.guessing = guessed


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
    from .programs import run

    if words[0] in ("tarfile", "zipfile") and {"-e", "--extract"} & set(words):
        return unpack(reader, call._replace(words=["tar", "-x", "-f", *words[2:3], "-C", *(words[3:4] or ["."])]))
    if words[0] == "json.tool":
        return tools.second(reader, call._replace(words=words))
    for file in (f"{words[0].replace('.', '/')}.py", f"{words[0].replace('.', '/')}/__main__.py"):
        if reader.to_run(file, call.cwd)[1] is not None:
            return interpreter(reader, call._replace(words=[call.words[0], file, *words[1:]]), "python3")
    return run(reader, call._replace(words=words))

"""Walks through a command as a shell would, without running anything, and notes every write that it comes to."""

import os
import re
from typing import NamedTuple

from . import builtins
from .effort import TooMuch
from .lexer import REDIRECTS, Token, tokens
from .mentions import LONGEST_WORD, places
from .words import Words
from .world import UNKNOWN, Leaves, World, Write

DEEPEST, MOST_WRITES, MOST_MENTIONS, MOST_STEPS, LONGEST = 12, 2000, 4000, 4000, 64 << 10
_ASSIGNMENT = re.compile(r"^([A-Za-z_]\w*)(?:\[[^\]]*\])?\+?=")
_ARRAY = re.compile(r"^[A-Za-z_]\w*\+?=$")
_EXTENDED = re.compile(r"[@+?*!]\(")
_KEY = re.compile(r"^\[[^\]]*\]\+?=")
_DECLARING = ("declare", "typeset", "local", "export", "readonly")
# What these hold is run by the shell or by programs that look for an editor or a pager.
_RUN_LATER = frozenset((
    "EDITOR", "VISUAL", "PAGER", "BROWSER", "PROMPT_COMMAND", "GIT_EDITOR", "GIT_SEQUENCE_EDITOR", "GIT_PAGER",
    "GIT_SSH_COMMAND", "GIT_EXTERNAL_DIFF", "GIT_ASKPASS", "MANPAGER", "LESSOPEN",
))  # fmt: skip
_ENDS = {";", "&", "&&", "||", "|", "|&", "\n", "(", ")", ";;", ";&", ";;&"}
_RESERVED = {"if", "then", "elif", "else", "fi", "while", "until", "do", "done", "{", "}", "!", "esac", "time"}
_HARMLESS = ("/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/zero")


class Call(NamedTuple):
    """One simple command: its words, what it is fed (None: nothing, or UNKNOWN inside), and where it stands."""

    words: list[str]
    stdin: str | None
    cwd: str


class Found(NamedTuple):
    """`mentions`: places that programs are told of which are not known to read only, each with who is told."""

    writes: list[Write]
    opaque: list[str]
    mentions: dict[str, str]


def read_command(text: str, world: World) -> Found:
    """Everything that this command would write, as far as its text says it; `opaque` says what it does not say."""
    reader = Reader(world)
    if "extglob" in text and _EXTENDED.search(text):
        reader.opaque.append("the command uses extended patterns")
    try:
        reader.script(text) if len(text) <= LONGEST else reader.opaque.append("the command is too long to be read")
    except TooMuch:
        reader.opaque.append("the command takes more work to read than a check may cost")
    except (RecursionError, ValueError, LookupError, TypeError, OSError, OverflowError, re.error) as fault:
        # What we cannot read is not taken for harmless.
        reader.opaque.append(f"the command cannot be read ({type(fault).__name__})")
    return Found(reader.writes, list(dict.fromkeys(reader.opaque)), reader.mentions)


class Reader:
    def __init__(self, world: World) -> None:
        self.world, self.cwd, self.before = world, world.cwd, world.cwd
        self.writes: list[Write] = []
        self.opaque: list[str] = []
        self.mentions: dict[str, str] = {}
        self.guessing = False
        # What this very command has written so far: a script of its own making is read from here.
        self.drafts: dict[str, str | None] = {}
        self.words = Words(world, self.output)
        self.functions: dict[str, list[Token]] = {}
        self.aliases: dict[str, str] = {}
        self._links: dict[str, str] = {}
        self._folders: list[str] = []
        self._depth = self._steps = self._cases = 0

    # What programs report.

    def write(
        self, path: str, content: str | None, via: str, *, cwd: str | None = None, tree: bool = False,
        leaves: Leaves = Leaves.CONTENT,
    ) -> None:  # fmt: skip
        if not path or path in _HARMLESS or path.startswith(("/dev/fd/", "&")):
            return
        self.world.effort.spend()
        via = via.rpartition("/")[2]
        if UNKNOWN in path:
            self.opaque.append(f"{via} writes to a file that only the running command knows")
            return
        if len(self.writes) >= MOST_WRITES:
            self.opaque.append("the command writes to more files than are looked at")
            return
        known = content if content is None or UNKNOWN not in content else None
        place = self._behind(self.world.absolute(path, self.cwd if cwd is None else cwd))
        self.writes.append(Write(place, known, via, tree))
        self._draft(place, known, leaves)

    def _draft(self, place: str, content: str | None, leaves: Leaves) -> None:
        """What a script of this name would be from here on."""
        if leaves in (Leaves.AS_IT_WAS, Leaves.LONGER) and (place in self.drafts or os.path.lexists(place)):
            if leaves is Leaves.AS_IT_WAS:
                return
            before = self.file(place, self.cwd)[0]
            content = None if before is None or content is None else before + content
        self.drafts[place] = None if leaves is Leaves.CHANGED else content

    def mention(self, text: str, via: str, *, cwd: str = "") -> None:
        """A program that may write is told of this; which place it is, and whether it is guarded, is not known here."""
        for path in places(text):
            self.world.effort.spend()
            if len(self.mentions) >= MOST_MENTIONS:
                self.opaque.append("the command names more files than are looked at")
                return
            if path and len(path) < LONGEST_WORD and "\0" not in path:
                self.mentions.setdefault(self._behind(self.world.absolute(path, cwd or self.cwd)), via)

    def start(self, words: list[str]) -> str | None:
        """Another command that comes of this one."""
        from .programs import run

        return run(self, Call(words, None, self.cwd))

    def link(self, place: str, target: str) -> None:
        """This very command makes a link, which is not there yet."""
        if UNKNOWN not in place + target:
            here = self.world.absolute(place, self.cwd)
            self._links[here] = self.world.absolute(target, here.rpartition("/")[0])

    def _behind(self, place: str) -> str:
        for link, target in self._links.items():
            if place == link or place.startswith(link + "/"):
                return target + place[len(link) :]
        return place

    def script(self, text: str, positional: list[str] | None = None, *, depth: int = 1) -> str | None:
        """Read a text as a shell would; answers what it prints when that can be foretold."""
        if self._depth + depth > DEEPEST:
            self.opaque.append("commands are nested too deeply to be read")
            return UNKNOWN
        self.world.effort.spend(text=len(text))
        if UNKNOWN in text:
            self.opaque.append("a shell is given a text that only the running command knows")
        before, self.words.positional = self.words.positional, positional or self.words.positional
        cases, self._cases = self._cases, 0
        self._depth += depth
        try:
            return self._run(tokens(text))
        finally:
            self._depth, self._cases = self._depth - depth, cases
            self.words.positional = before

    def output(self, text: str) -> str:
        """What `$(text)` stands for."""
        held, folders = self.cwd, list(self._folders)
        printed = self.script(text)
        self.cwd, self._folders = held, folders
        return UNKNOWN if printed is None else printed.rstrip("\n")

    def file(self, path: str, cwd: str) -> tuple[str | None, bool]:
        """A file's text, and whether it was made or changed in this session."""
        place = self.world.absolute(path, cwd)
        if place in self.drafts:
            return self.drafts[place], True
        return self.world.read(place), self.world.young(place)

    def to_run(self, path: str, cwd: str) -> tuple["Reader", str | None, bool]:
        """Who reads a file that is run, its text, and whether it is of this session.

        What may not be quoted is read apart: it learns nothing of this command, and this command nothing of it.
        """
        text, young = self.file(path, cwd)
        place = self.world.absolute(path, cwd)
        if text is not None or place in self.drafts:
            return self, text, young
        apart = Reader(self.world)
        apart.cwd, apart.writes, apart.opaque = cwd, self.writes, self.opaque
        apart._depth, apart._links, apart.mentions, apart.guessing = (
            self._depth,
            self._links,
            self.mentions,
            self.guessing,
        )
        return apart, self.world.program(place), young

    def blur(self, apart: "Reader") -> None:
        """That another reader wrote a file or set a variable is known afterwards, but not with what."""
        if apart is not self:
            self.drafts |= dict.fromkeys(apart.drafts)
            self.words.variables |= {name: [UNKNOWN] for name in apart.words.variables}

    # The walk.

    def _run(self, all_tokens: list[Token]) -> str | None:
        at, fed, printed = 0, None, ""
        total: str | None = ""
        while at < len(all_tokens):
            token = all_tokens[at]
            if token.operator in _ENDS:
                self._bracket(token.operator)
                fed = printed if token.operator in ("|", "|&") else (fed if token.operator == "(" else None)
                if token.operator in ("|", "|&") and fed is None:
                    fed = UNKNOWN
                at += 1
                continue
            word = token.plain if token.bare else ""
            if (skipped := self._structure(all_tokens, at, word)) is not None:
                at = skipped
                continue
            end = at
            while end < len(all_tokens) and all_tokens[end].operator not in _ENDS:
                end += 1
            if self._cases and not self._folders and end < len(all_tokens) and all_tokens[end].operator == ")":
                at = self._pattern(all_tokens, at, end)
                continue
            told = self._simple(all_tokens[at:end], fed)
            printed = told if told is not None else UNKNOWN
            piped = end < len(all_tokens) and all_tokens[end].operator in ("|", "|&")
            if not piped and total is not None:
                total = None if told is None else total + told
            at = end
        return total

    def _pattern(self, all_tokens: list[Token], at: int, end: int) -> int:
        """A pattern of `case` is no command, but what is expanded for it runs."""
        for token in all_tokens[at:end]:
            self.words.expand(token, self.cwd, globs=False)
        return end

    def _bracket(self, operator: str) -> None:
        if operator == "(":
            self._folders.append(self.cwd)
        elif operator == ")" and self._folders:
            self.cwd = self._folders.pop()

    def _structure(self, all_tokens: list[Token], at: int, word: str) -> int | None:
        """Where to go on behind a reserved word, a loop's head or a function's definition."""
        if word in _RESERVED:
            at += 1
            self._cases -= word == "esac" and self._cases > 0
            while word == "time" and at < len(all_tokens) and all_tokens[at].plain == "-p":
                at += 1
            return at
        if word == "coproc":
            opened = all_tokens[at + 2 : at + 3]
            return at + (2 if opened and (opened[0].operator == "(" or opened[0].plain == "{") else 1)
        if word in _DECLARING and (behind := self._named_array(all_tokens, at + 1)):
            return behind
        if word in ("for", "select"):
            return self._loop(all_tokens, at)
        if word == "case":
            self._cases += 1
            while at < len(all_tokens) and all_tokens[at].plain != "in":
                self.words.expand(all_tokens[at], self.cwd, globs=False)
                at += 1
            return at + 1
        if _ARRAY.match(word) and at + 1 < len(all_tokens) and all_tokens[at + 1].operator == "(":
            return self._array(word.partition("=")[0].rstrip("+"), all_tokens, at + 2)
        named = all_tokens[at + 1].plain if word == "function" and at + 1 < len(all_tokens) else ""
        following = [token.operator for token in all_tokens[at + 1 : at + 3]]
        if named:
            behind = at + 4 if [t.operator for t in all_tokens[at + 2 : at + 4]] == ["(", ")"] else at + 2
            return self._define(named, all_tokens, behind)
        return self._define(word, all_tokens, at + 3) if word and following == ["(", ")"] else None

    def _loop(self, all_tokens: list[Token], at: int) -> int:
        name = all_tokens[at + 1].plain if at + 1 < len(all_tokens) else ""
        at += 2
        values: list[str] | None = None
        if at < len(all_tokens) and all_tokens[at].plain == "in":
            values, at = [], at + 1
            while at < len(all_tokens) and all_tokens[at].operator not in _ENDS:
                values += self.words.expand(all_tokens[at], self.cwd)
                at += 1
        if name:
            self.words.variables[name] = (self.words.value("@") if values is None else values) or [""]
        return at

    def _named_array(self, all_tokens: list[Token], at: int) -> int | None:
        """`declare -A name=(…)`: where it ends."""
        while at < len(all_tokens) and all_tokens[at].plain.startswith("-"):
            at += 1
        word = all_tokens[at].plain if at < len(all_tokens) else ""
        if not _ARRAY.match(word) or at + 1 >= len(all_tokens) or all_tokens[at + 1].operator != "(":
            return None
        return self._array(word.partition("=")[0].rstrip("+"), all_tokens, at + 2)

    def _array(self, name: str, all_tokens: list[Token], at: int) -> int:
        values: list[str] = []
        while at < len(all_tokens) and all_tokens[at].operator != ")":
            values += [_KEY.sub("", one) for one in self.words.expand(all_tokens[at], self.cwd)]
            at += 1
        self.words.variables[name] = [*self.words.variables.get(name, []), *values][-64:] or [""]
        return at + 1

    def _define(self, name: str, all_tokens: list[Token], at: int) -> int:
        while at < len(all_tokens) and all_tokens[at].operator == "\n":
            at += 1
        if at >= len(all_tokens):
            return at
        opens, closes = ("(", ")") if all_tokens[at].operator == "(" else ("{", "}")
        depth, start = 0, at
        while at < len(all_tokens):
            mark = all_tokens[at].operator or (all_tokens[at].plain if all_tokens[at].bare else "")
            depth += (mark == opens) - (mark == closes)
            at += 1
            if depth <= 0:
                break
        self.functions[name] = all_tokens[start + 1 : at - 1]
        if name in builtins.CALLED_BY_NAME:
            self._run(self.functions[name])
        return at

    def _simple(self, parts: list[Token], fed: str | None) -> str | None:
        """One simple command: redirects, assignments, then the program; answers what goes on to a pipe."""
        words: list[str] = []
        targets: list[tuple[str, bool]] = []
        stdin, at = fed, 0
        self._steps += 1
        if self._steps > MOST_STEPS:
            self.opaque.append("the command has more steps than are looked at")
            return UNKNOWN
        while at < len(parts):
            token = parts[at]
            if token.operator in REDIRECTS:
                # `>! file` is `>| file` to zsh.
                at += len(parts) > at + 2 and token.operator in (">", ">>") and parts[at + 1].plain == "!"
                if at + 1 < len(parts) and not parts[at + 1].operator:
                    stdin = self._redirect(token.operator, parts[at + 1], stdin, targets)
                    at += 1
                at += 1
                continue
            following = parts[at + 1].operator if at + 1 < len(parts) else ""
            if token.bare and token.plain.isdigit() and following in REDIRECTS and words:
                at += 1
                continue
            if not words and self._assigned(token):
                at += 1
                continue
            words += self.words.expand(token, self.cwd)
            at += 1
        while words and not words[0]:
            words.pop(0)
        from .programs import run

        printed = run(self, Call(words, stdin, self.cwd)) if words else (stdin if targets and stdin else "")
        for target, longer in targets:
            self.write(target, printed, "a redirect", leaves=Leaves.LONGER if longer else Leaves.CONTENT)
        return "" if targets else printed

    def _redirect(self, operator: str, word: Token, stdin: str | None, targets: list[tuple[str, bool]]) -> str | None:
        if operator in ("<<", "<<-"):
            return word.body if word.literal_body else self.words.inside(word.body)
        found = self.words.expand(word, self.cwd)
        if operator == "<<<":
            return " ".join(found) + "\n"
        if operator in ("<", "<&"):
            if any(part.kind == "process" for part in word.parts):
                return self.output(next(part.text for part in word.parts if part.kind == "process"))
            text = self.file(found[0], self.cwd)[0] if found else None
            return UNKNOWN if text is None else text
        if operator == ">&" and all(one.isdigit() or one == "-" for one in found):
            return stdin
        if any(part.kind == "process" for part in word.parts):
            return stdin
        targets += [(one, operator in (">>", "&>>")) for one in found]
        return stdin

    def _assigned(self, token: Token) -> bool:
        first = token.parts[0] if token.parts else None
        found = _ASSIGNMENT.match(first.text) if first and first.kind == "text" and not first.quoted else None
        if first is None or found is None:
            return False
        rest = token._replace(parts=(first._replace(text=first.text[found.end() :]), *token.parts[1:]))
        self.assign(found[1], self.words.expand(rest, self.cwd, globs=False) or [""], adds="+=" in found[0])
        return True

    def assign(self, name: str, values: list[str], *, adds: bool = False) -> None:
        """A variable may have held other values on another way through the script: all of them stay possible."""
        value = " ".join(values)
        value = value if len(value) <= LONGEST else UNKNOWN
        if name in _RUN_LATER and value:
            self.script(value)
        builtins.variable(self, name, value)
        known = self.words.variables.get(name, [])
        if adds:
            self.words.variables[name] = [(one + value)[: LONGEST + 1] for one in known or [""]]
        else:
            self.words.variables[name] = [value, *(one for one in known if one != value)][:16]

"""Expansion of words: variables, braces, tildes, globs, and the outputs of commands that can be foretold."""

import re
from collections.abc import Callable

from .lexer import Part, Token, substitutions
from .world import UNKNOWN, World

MOST, LONGEST = 128, 64 << 10
# A quoted character that would have a meaning without its quotes is kept apart until all is expanded.
_SPECIAL = "{},*?[]~ \t\n"
_APART = {ord(char): chr(0xE100 + at) for at, char in enumerate(_SPECIAL)}
_BACK = {0xE100 + at: char for at, char in enumerate(_SPECIAL)}
_BRACES = re.compile(r"\{([^{},]*(?:,[^{},]*)+|-?\d+\.\.-?\d+|\w\.\.\w)\}")
_NAME = re.compile(r"[A-Za-z_]\w*")
_PARAMETER = re.compile(r"^([A-Za-z_]\w*|\d+|[@*])(?:\[[^\]]*\])?(.*)$", re.DOTALL)


class Words:
    def __init__(self, world: World, output: Callable[[str], str]) -> None:
        self.world, self._output = world, output
        self.variables: dict[str, list[str]] = {}
        # What process substitutions have handed to programs so far.
        self.handed: list[str] = []
        self.positional: list[str] | None = None

    def expand(self, token: Token, cwd: str, *, globs: bool = True) -> list[str]:
        """Every word that this one may become; a superset when a variable may hold several values."""
        texts = [""]
        for part in token.parts:
            values = self._values(part)
            self.world.effort.spend(text=len(texts) * sum(map(len, values)))
            texts = [text + value for text in texts for value in values][: MOST + 1]
            if len(texts[0]) > LONGEST:
                texts = [UNKNOWN]
        if len(texts) > MOST:
            texts = [*texts[:MOST], UNKNOWN]
        between = "".join(self.variables.get("IFS", ())) if any(part.kind != "text" for part in token.parts) else ""
        texts = [text.translate(dict.fromkeys(map(ord, between), " ")) for text in texts] if between else texts
        split = [piece for text in texts for piece in (text.split() or ([""] if token.parts else []))]
        self.world.effort.spend(text=sum(map(len, texts)))
        braced = [one for text in split for one in _braces(text)][: MOST * 2]
        found = [one for text in braced for one in self._paths(text, cwd, globs)]
        return [one.translate(_BACK) for one in found]

    def text(self, token: Token, cwd: str) -> str:
        """The word as one text, as in an assignment."""
        return " ".join(self.expand(token, cwd, globs=False))

    def inside(self, body: str) -> str:
        """A here-document's body with its variables resolved."""

        def one(found: re.Match[str]) -> str:
            return (self.value(found[1] or found[2]) or [""])[0]

        for command in substitutions(body) if "$(" in body or "`" in body else ():
            printed = self._output(command)
            body = body.replace(f"$({command})", printed, 1).replace(f"`{command}`", printed, 1)
        return re.sub(r"(?<!\\)\$(?:\{(\w[^}]{0,1000})\}|([A-Za-z_]\w*|\d))", one, body)

    def value(self, expression: str) -> list[str]:
        if expression[:1] == "!":
            return [value for name in self.value(expression[1:]) for value in self.value(name)] or [UNKNOWN]
        if expression[:1] == "#":
            return ["1"]
        if expression in ("?", "$", "-", "!", "#"):
            return ["0"]
        found = _PARAMETER.match(expression)
        if found is None:
            return [UNKNOWN]
        name, rest = found.groups()
        values = self._named(name)
        return self._changed(values, rest) if rest else values or [""]

    def _named(self, name: str) -> list[str]:
        if name in self.variables:
            return self.variables[name]
        if name == "PWD":
            return [self.world.cwd]
        if name.isdigit() or name in ("@", "*"):
            if self.positional is None:
                return [UNKNOWN]
            given = self.positional
            return given[1:] if name in ("@", "*") else given[int(name) : int(name) + 1]
        if name == "SHELL":
            return [self.world.environment.get(name, "/bin/sh")]
        return [self.world.environment[name]] if name in self.world.environment else []

    def _changed(self, values: list[str], rest: str) -> list[str]:
        """`${x:-y}`, `${x#y}`, `${x/a/b}` and their kin."""
        if (found := re.match(r"^:?[-=+](.*)$", rest, re.DOTALL)) is not None:
            other = self.inside(found[1]).strip("\"'")
            return [*values, other] if "+" not in rest[:2] else [other, ""]
        if rest[:2] == ":?" or rest[:1] == "?":
            return values or [""]
        if (found := re.match(r"^:(-?\s*\d+)(?::(\d+))?$", rest)) is not None:
            start = int(found[1])
            return [v[start : start + int(found[2])] if found[2] else v[start:] for v in values] or [""]
        if (found := re.match(r"^(//?)([^/*?\[]*)/(.*)$", rest, re.DOTALL)) is not None:
            count = -1 if found[1] == "//" else 1
            self.world.effort.spend(text=sum(v.count(found[2]) * len(found[3]) for v in values))
            return [v.replace(found[2], found[3], count) for v in values]
        if (found := re.match(r"^(##?|%%?)([^*?\[]*)$", rest)) is not None:
            return [v.removeprefix(found[2]) if found[1][0] == "#" else v.removesuffix(found[2]) for v in values]
        if rest in ("^", "^^", ",", ",,", "@L", "@U", "@Q", "@E", "@P"):
            changed = {"^^": str.upper, "@U": str.upper, "^": str.capitalize}.get(rest, str.lower)
            return [changed(v) for v in values]
        return [UNKNOWN]

    def _values(self, part: Part) -> list[str]:
        if part.kind == "text":
            return [part.text.translate(_APART) if part.quoted else part.text]
        if part.kind in ("number", "name") and not part.text.isalnum():
            self._within(part.text)
        if part.kind == "number":
            return ["1"]
        if part.kind == "process":
            self.handed.append(self._output(part.text))
            return ["/dev/fd/63"]
        found = [self._output(part.text)] if part.kind == "command" else self.value(part.text)
        if part.quoted and part.text in ("@", "*"):
            return [" ".join(one.translate(_APART) for one in found)]
        return [one.translate(_APART) for one in found] if part.quoted else [one or "" for one in found]

    def _within(self, expression: str) -> None:
        """Commands in an index, in a default, in a sum; and in what the names in them hold, which bash expands as well."""
        held = [value for name in _NAME.findall(expression) for value in self.variables.get(name, ())]
        for text in (expression, *held):
            if "$(" in text or "`" in text:
                for command in substitutions(text):
                    self._output(command)

    def _paths(self, text: str, cwd: str, globs: bool) -> list[str]:
        if text.startswith("~") and (len(text) == 1 or text[1] in "/+"):
            home = self.world.environment.get("HOME", UNKNOWN)
            text = (cwd if text[1:2] == "+" else home) + text[1 + (text[1:2] == "+") :]
        if not globs or not any(char in text for char in "*?["):
            return [text]
        pattern = self.world.absolute(re.sub(r"\[!", "[^", text).translate(_BACK), cwd).replace("[^", "[!")
        if pattern.startswith("/proc/"):  # a process's folder may be a way into the project
            return [text, UNKNOWN]
        return [text, *self.world.matches(pattern)]


def _braces(text: str) -> list[str]:
    """Every text that `a{b,c}d` stands for; too many of them are one unknown."""
    done: list[str] = []
    waiting = [text]
    while waiting and len(done) + len(waiting) <= MOST:
        one = waiting.pop()
        found = _BRACES.search(one)
        if found is None:
            done.append(one)
            continue
        inside = found[1]
        ranged = ".." in inside and "," not in inside
        choices = _range(*inside.split("..")[:2]) if ranged else inside.split(",")
        waiting += [one[: found.start()] + choice + one[found.end() :] for choice in choices[:MOST]]
    return done[::-1] if not waiting else [*done, UNKNOWN]


def _range(low: str, high: str) -> list[str]:
    if low.lstrip("-").isdigit() and high.lstrip("-").isdigit():
        start, end = int(low), int(high)
        step = 1 if end >= start else -1
        return [str(number) for number in range(start, min(max(end + step, start - MOST), start + MOST), step)]
    step = 1 if high >= low else -1
    return [chr(code) for code in range(ord(low), ord(high) + step, step)]

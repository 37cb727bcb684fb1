"""A shell command's text as words and operators. Quotes are resolved, what must be expanded is kept as a part."""

import re
from itertools import groupby
from typing import NamedTuple

OPERATORS = (
    "<<<", "&>>", "<<-", ";;&", "<<", ">>", ">|", "<>", ">&", "<&", "&>", "&&", "||", "|&", ";;", ";&",
    "<", ">", "|", "&", ";", "(", ")", "\n",
)  # fmt: skip
REDIRECTS = {"<<<", "&>>", "<<-", "<<", ">>", ">|", "<>", ">&", "<&", "&>", "<", ">"}
_BLANK = " \t\r"
_PLAIN, _QUOTED = re.compile(r"""[^\s'"\\$`<>&|;()]+"""), re.compile(r"""[^"\\$`]+""")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "v": "\v"}


class Part(NamedTuple):
    """`text` as it is, or a `$name`, a `$(command)`, a `<(command)`, or arithmetic to be expanded."""

    kind: str
    text: str
    quoted: bool


class Token(NamedTuple):
    """A word with its parts, an operator, or the body of a here-document."""

    operator: str
    parts: tuple[Part, ...] = ()
    body: str = ""
    literal_body: bool = False

    @property
    def plain(self) -> str:
        """The word as it would stand without quotes; only for words that need no expansion."""
        return "".join(part.text for part in self.parts) if all(part.kind == "text" for part in self.parts) else ""

    @property
    def bare(self) -> bool:
        return all(part.kind == "text" and not part.quoted for part in self.parts)


def tokens(text: str) -> list[Token]:
    return _Lexer(text).run()


class _Lexer:
    def __init__(self, text: str) -> None:
        self._text, self._at = text.replace("\\\r\n", "").replace("\\\n", ""), 0
        self._out: list[Token] = []
        self._waiting: list[int] = []

    def run(self) -> list[Token]:
        while self._at < len(self._text):
            char = self._text[self._at]
            if char in _BLANK:
                self._at += 1
            elif char == "#" and self._word_ended():
                self._at = self._line_end()
            elif (operator := self._operator()) is not None:
                self._take(operator)
            else:
                self._out.append(Token("", tuple(self._word())))
                self._here_word()
        return self._out

    def _word_ended(self) -> bool:
        return self._at == 0 or self._text[self._at - 1] in " \t\r\n;&|()"

    def _operator(self) -> str | None:
        if self._text[self._at] not in "<>&|;()\n":
            return None
        if self._text[self._at : self._at + 2] in ("<(", ">("):
            return None
        return next((one for one in OPERATORS if self._text.startswith(one, self._at)), None)

    def _take(self, operator: str) -> None:
        self._at += len(operator)
        self._out.append(Token(operator))
        if operator == "\n" and self._waiting:
            self._bodies()

    def _here_word(self) -> None:
        if len(self._out) > 1 and self._out[-2].operator in ("<<", "<<-"):
            self._waiting.append(len(self._out) - 1)

    def _bodies(self) -> None:
        """The lines of the here-documents that were announced on the line above."""
        for at in self._waiting:
            word, strips = self._out[at], self._out[at - 1].operator == "<<-"
            end, lines = "".join(part.text for part in word.parts), []
            while self._at < len(self._text):
                stop = self._line_end()
                line, self._at = self._text[self._at : stop], stop + 1
                line = line.lstrip("\t") if strips else line
                if line.rstrip("\r") == end:
                    break
                lines.append(line)
            self._out[at] = word._replace(body="\n".join(lines) + "\n", literal_body=not word.bare)
        self._waiting = []

    def _line_end(self) -> int:
        found = self._text.find("\n", self._at)
        return len(self._text) if found < 0 else found

    def _word(self) -> list[Part]:
        parts: list[Part] = []
        while self._at < len(self._text):
            char = self._text[self._at]
            if char in _BLANK or (self._operator() is not None):
                break
            if char == "'":
                end = self._find("'", self._at + 1)
                parts.append(Part("text", self._text[self._at + 1 : end], True))
                self._at = end + 1
            elif char == '"':
                self._at += 1
                parts += self._double()
            elif char == "\\":
                parts.append(Part("text", self._text[self._at + 1 : self._at + 2], True))
                self._at += 2
            elif self._text.startswith("$'", self._at):
                parts.append(Part("text", self._ansi(), True))
            elif self._text.startswith('$"', self._at):
                self._at += 2
                parts += self._double()
            elif char in "$`" or self._text[self._at : self._at + 2] in ("<(", ">("):
                parts.append(self._dollar(quoted=False))
            else:
                parts.append(self._run_of(_PLAIN, quoted=False))
        return _joined(parts)

    def _double(self) -> list[Part]:
        parts = [Part("text", "", True)]
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == '"':
                self._at += 1
                break
            if char == "\\" and self._text[self._at + 1 : self._at + 2] in ('"', "\\", "$", "`"):
                parts.append(Part("text", self._text[self._at + 1], True))
                self._at += 2
            elif char in "$`":
                parts.append(self._dollar(quoted=True))
            else:
                parts.append(self._run_of(_QUOTED, quoted=True))
        return _joined(parts)

    def _run_of(self, plain: re.Pattern[str], *, quoted: bool) -> Part:
        """The characters from here on that mean nothing but themselves, one at least."""
        found = plain.match(self._text, self._at + 1)
        start, self._at = self._at, found.end() if found else self._at + 1
        return Part("text", self._text[start : self._at], quoted)

    def _dollar(self, *, quoted: bool) -> Part:
        text, start = self._text, self._at
        if text[start] == "`":
            end = self._find("`", start + 1)
            self._at = end + 1
            return Part("command", text[start + 1 : end].replace("\\`", "`").replace("\\$", "$"), quoted)
        if text[start] in "<>":
            self._at = self._closing(start + 2, "(", ")")
            return Part("process", text[start + 2 : self._at - 1], quoted)
        if text.startswith("$((", start):
            self._at = self._closing(start + 2, "(", ")")
            return Part("number", text[start + 3 : self._at - 2], quoted)
        if text.startswith("$(", start):
            self._at = self._closing(start + 2, "(", ")")
            return Part("command", text[start + 2 : self._at - 1], quoted)
        if text.startswith("${", start):
            self._at = self._closing(start + 2, "{", "}")
            return Part("name", text[start + 2 : self._at - 1], quoted)
        end = start + 1
        while end < len(text) and (text[end].isalnum() or text[end] == "_"):
            end += 1
            if text[start + 1].isdigit():
                break
        if end == start + 1:
            if text[end : end + 1] in ("@", "*", "#", "?", "$", "!", "-"):
                self._at = end + 1
                return Part("name", text[end], quoted)
            self._at = end
            return Part("text", "$", quoted)
        self._at = end
        return Part("name", text[start + 1 : end], quoted)

    def _closing(self, at: int, opens: str, closes: str) -> int:
        """Just behind the bracket that closes, quotes and nesting minded."""
        depth = 1
        while at < len(self._text):
            char = self._text[at]
            if char == "\\":
                at += 1
            elif char == "'":
                at = self._find("'", at + 1)
            elif char == '"':
                at = self._behind_double(at + 1)
                continue
            elif char == opens:
                depth += 1
            elif char == closes:
                depth -= 1
                if depth == 0:
                    return at + 1
            at += 1
        return len(self._text) + 1

    def _behind_double(self, at: int) -> int:
        while at < len(self._text) and self._text[at] != '"':
            at += 2 if self._text[at] == "\\" else 1
        return at + 1

    def _find(self, char: str, start: int) -> int:
        found = self._text.find(char, start)
        return len(self._text) if found < 0 else found

    def _ansi(self) -> str:
        """The inside of `$'…'` with its escapes resolved."""
        self._at += 2
        start = self._at
        while self._at < len(self._text) and self._text[self._at] != "'":
            self._at += 2 if self._text[self._at] == "\\" else 1
        inside, self._at = self._text[start : self._at], self._at + 1
        return unescape(inside)


def unescape(text: str) -> str:
    """Backslash escapes as `$'…'`, `printf` and `echo -e` know them."""
    out, at = [], 0
    while at < len(text):
        char = text[at]
        if char != "\\" or at + 1 == len(text):
            out.append(char)
            at += 1
            continue
        kind = text[at + 1]
        base, most = {"x": (16, 2), "u": (16, 4), "U": (16, 8), "0": (8, 3)}.get(kind, (8, 3))
        start = at + 2 if kind in "xuU0" else at + 1
        end = start
        digits = "0123456789abcdefABCDEF" if base == 16 else "01234567"
        while end < len(text) and end - start < most and text[end] in digits:
            end += 1
        if end > start and (kind in "xuU" or kind in "01234567"):
            out.append(chr(min(int(text[start:end], base), 0x10FFFF)))
            at = end
        else:
            out.append(_ESCAPES.get(kind, kind if kind in "\\'\"" else "\\" + kind))
            at += 2
    return "".join(out)


def _joined(parts: list[Part]) -> list[Part]:
    """Neighbouring texts of one kind as one part."""
    out: list[Part] = []
    for (kind, quoted), group in groupby(parts, lambda part: (part.kind, part.quoted)):
        same = list(group)
        out += [Part(kind, "".join(part.text for part in same), quoted)] if kind == "text" else same
    return out


def substitutions(text: str) -> list[str]:
    """The commands within `$(…)`, backticks and `<(…)` anywhere in a text, outermost ones only."""
    found: list[str] = []
    lexer, at = _Lexer(text), 0
    while at < len(lexer._text):
        if lexer._text.startswith(("$(", "`", "<(", ">("), at) and not lexer._text.startswith("$((", at):
            lexer._at = at
            found.append(lexer._dollar(quoted=True).text)
            at = max(lexer._at, at + 1)
        else:
            at += 2 if lexer._text[at] == "\\" else 1
    return found

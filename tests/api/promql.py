"""Enough of PromQL to ask of made-up series what Prometheus would ask: the text of the rules themselves is read."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
# Name and labels as they are exposed, and the value at a time in seconds.
Series = Mapping[str, Sequence[tuple[Mapping[str, str], Callable[[float], float]]]]

_TOKENS = re.compile(
    r"\s*(?P<text>\d+(?:\.\d+)?(?:e-?\d+)?|[A-Za-z_:][A-Za-z0-9_:]*|\"(?:[^\"\\]|\\.)*\"|=~|!~|!=|>=|<=|[-+*/><=(){}\[\],])"
)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
_COMPARISONS = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}
_AGGREGATIONS: dict[str, Callable[[list[float]], float]] = {"sum": sum, "min": min, "max": max}


def evaluate(text: str, series: Series, now: float) -> Vector:
    asked = _Asked(text, series, now)
    found = asked.either()
    assert asked.done, f"{text[asked.at :]!r} was not read"
    assert isinstance(found, dict)
    return found


class _Asked:
    def __init__(self, text: str, series: Series, now: float) -> None:
        self._tokens = [found["text"] for found in _TOKENS.finditer(text)]
        assert "".join(self._tokens) == re.sub(r"\s+", "", text), text
        self.at, self._series, self._now = 0, series, now

    @property
    def done(self) -> bool:
        return self.at == len(self._tokens)

    def _peek(self) -> str:
        return "" if self.done else self._tokens[self.at]

    def _take(self, wanted: str = "") -> str:
        token = self._peek()
        assert token, "the rule ends too soon"
        assert not wanted or token == wanted, f"{token!r} where {wanted!r} should be"
        self.at += 1
        return token

    def either(self) -> Any:
        left = self._both()
        while self._peek() == "or":
            self._take()
            left = {**self._both(), **left}
        return left

    def _both(self) -> Any:
        left = self._compared()
        while self._peek() == "and":
            self._take()
            right = self._compared()
            left = {labels: value for labels, value in left.items() if labels in right}
        return left

    def _compared(self) -> Any:
        left = self._sum()
        if self._peek() in _COMPARISONS:
            holds, right = _COMPARISONS[self._take()], self._sum()
            assert isinstance(left, dict)
            assert isinstance(right, float)
            return {labels: value for labels, value in left.items() if holds(value, right)}
        return left

    def _sum(self) -> Any:
        return self._chain(self._product, "+-")

    def _product(self) -> Any:
        return self._chain(self._one, "*/")

    def _chain(self, part: Callable[[], Any], signs: str) -> Any:
        left = part()
        while self._peek() and self._peek() in signs:
            work = _ARITHMETIC[self._take()]
            right = part()
            if isinstance(left, float) or isinstance(right, float):
                left = {labels: work(value, right) for labels, value in left.items()}
            else:
                # Nothing divided by nothing is not a number, and no comparison holds for it.
                left = {
                    labels: work(value, right[labels])
                    if right[labels] or work is not operator.truediv
                    else float("nan")
                    for labels, value in left.items()
                    if labels in right
                }
        return left

    def _one(self) -> Any:
        token = self._take()
        if token == "(":
            found = self.either()
            self._take(")")
            return found
        if token[0].isdigit():
            return float(token)
        if self._peek() == "(":
            return self._called(token)
        return self._selected(token, 0.0)

    def _called(self, name: str) -> Vector:
        self._take("(")
        if name in ("rate", "increase"):
            return self._grown(self._take(), per_second=name == "rate")
        found = self.either()
        self._take(")")
        if name == "absent":
            return {} if found else {frozenset(): 1.0}
        return {frozenset(): _AGGREGATIONS[name](list(found.values()))} if found else {}

    def _grown(self, name: str, *, per_second: bool) -> Vector:
        matches = self._matchers()
        self._take("[")
        number, unit = re.fullmatch(r"(\d+)([smhd])", self._take() + self._take()).groups()
        window = int(number) * _UNITS[unit]
        self._take("]")
        self._take(")")
        grown: Vector = {}
        for labels, value in self._series.get(name, ()):
            if all(one(labels) for one in matches):
                begin, end = value(self._now - window), value(self._now)
                grown[frozenset(labels.items())] = (end - begin) / (window if per_second else 1)
        return grown

    def _selected(self, name: str, before: float) -> Vector:
        matches = self._matchers()
        return {
            frozenset(labels.items()): value(self._now - before)
            for labels, value in self._series.get(name, ())
            if all(one(labels) for one in matches)
        }

    def _matchers(self) -> list[Callable[[Mapping[str, str]], bool]]:
        found: list[Callable[[Mapping[str, str]], bool]] = []
        if self._peek() != "{":
            return found
        self._take("{")
        while self._peek() != "}":
            label, sign, value = self._take(), self._take(), self._take()[1:-1]
            found.append(_matcher(label, sign, value))
            if self._peek() == ",":
                self._take(",")
        self._take("}")
        return found


def _matcher(label: str, sign: str, value: str) -> Callable[[Mapping[str, str]], bool]:
    if sign in ("=~", "!~"):
        wanted = sign == "=~"
        return lambda labels: (re.fullmatch(value, labels.get(label, "")) is not None) is wanted
    assert sign in ("=", "!=")
    return lambda labels: (labels.get(label, "") == value) is (sign == "=")

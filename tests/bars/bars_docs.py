"""Bars of the documentation: a check that a stub can pass, or that looks in the wrong place, is no check."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

from tests.bars.frame import Bar
from tests.documented import Thing, pages, things, undocumented

Finds = Callable[[Iterable[Thing], Mapping[str, str]], list[Thing]]


@cache
def everything() -> tuple[Thing, ...]:
    return tuple(things())


def check_what_loses_its_words_is_found(finds: Finds) -> None:
    """One thing of each kind, once with its line gone and once with its words gone."""
    whole = pages()
    assert finds(everything(), whole) == []
    for thing in {thing.kind: thing for thing in everything()}.values():
        assert thing in finds(everything(), {**whole, thing.page: without(thing, whole[thing.page])}), thing


def without(thing: Thing, page: str) -> str:
    if thing.kind == "domain":
        return ""
    if thing.row == thing.section:
        return re.sub(rf"{re.escape(thing.row)}\n\n.*\n", f"{thing.row}\n\n", page)
    head, section, rest = page.partition(f"\n{thing.section}\n") if thing.section else ("", "", page)
    return head + section + "".join(line for line in rest.splitlines(keepends=True) if thing.row not in line)


def check_what_nobody_wrote_down_is_found(finds: Finds) -> None:
    whole = pages()
    for thing in {thing.kind: thing for thing in everything()}.values():
        new = thing._replace(row=thing.row.replace("`", "`new-", 1), section=thing.section.replace("`", "`new-", 1))
        if thing.kind == "domain":
            new = thing._replace(page="new.md")
        assert finds([*everything(), new], whole) == [new], thing


def nothing(asked: Iterable[Thing], told: Mapping[str, str]) -> list[Thing]:
    return []


def anywhere(asked: Iterable[Thing], told: Mapping[str, str]) -> list[Thing]:
    """Content with a name on any page."""
    text = "".join(told.values())
    return [thing for thing in asked if thing.row.strip("#|`- :") not in text]


def without_arguments(asked: Iterable[Thing], told: Mapping[str, str]) -> list[Thing]:
    return undocumented([thing for thing in asked if thing.kind != "argument"], told)


def content_with_a_name(asked: Iterable[Thing], told: Mapping[str, str]) -> list[Thing]:
    """Does not ask whether anything is said of it."""
    return [thing for thing in asked if thing.row not in told.get(thing.page, "") or thing.page not in told]


def subject(finds: Finds) -> Callable[[Path], Finds]:
    return lambda _: finds


BARS = [
    Bar(
        check_what_loses_its_words_is_found,
        real=subject(undocumented),
        null=subject(nothing),
        planted={"anywhere": subject(anywhere), "a name is enough": subject(content_with_a_name)},
    ),
    Bar(
        check_what_nobody_wrote_down_is_found,
        real=subject(undocumented),
        null=subject(nothing),
        planted={"no arguments": subject(without_arguments)},
    ),
]

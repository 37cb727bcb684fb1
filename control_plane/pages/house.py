"""The house as Python knows it: its modules, and what they hold."""

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Final, TypeVar

_T = TypeVar("_T")
PACKAGE: Final = __package__.partition(".")[0]


def modules() -> list[ModuleType]:
    """Every module, imported; whoever is asked for all of the house needs all extras."""
    top = import_module(PACKAGE)
    names = [found.name for found in pkgutil.walk_packages(top.__path__, f"{PACKAGE}.")]
    return [import_module(name) for name in names if not name.endswith("__main__")]


def subclasses(kind: type[_T]) -> Iterator[type[_T]]:
    """All that descend from a class and belong to the house, each once."""
    for child in kind.__subclasses__():
        if child.__module__.startswith(f"{PACKAGE}."):
            yield child
        yield from subclasses(child)


def own_words(thing: object) -> str:
    """Its docstring on one line; what only a parent says does not count."""
    told = vars(thing).get("__doc__") if inspect.isclass(thing) else getattr(thing, "__doc__", None)
    return " ".join((told or "").split())


def cell(text: str) -> str:
    """Text that stands in one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")

"""Small faults that somebody could make: each place of a module where one fits, and the module with it in."""

import ast
import copy
from collections.abc import Callable, Iterator
from typing import NamedTuple

_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.Pow: ast.Mult,
}  # fmt: skip


class Mutant(NamedTuple):
    """The `number`th fault of a module, at a line; `what` shows it as before → after."""

    number: int
    line: int
    what: str


class _Place(NamedTuple):
    line: int
    put: Callable[[], None]
    node: ast.AST


def mutants(source: str) -> list[Mutant]:
    found = []
    # Listed first: a fault changes what there is below it.
    for number, place in enumerate(list(_places(ast.parse(source)))):
        before, kind = ast.unparse(place.node), place.node.__class__
        fields = {name: list(value) if isinstance(value, list) else value for name, value in vars(place.node).items()}
        place.put()
        found.append(
            Mutant(number, place.line, f"{before.splitlines()[0]} → {ast.unparse(place.node).splitlines()[0]}")
        )
        place.node.__class__, place.node.__dict__ = kind, fields
    return found


def mutated(source: str, number: int) -> str:
    tree = ast.parse(source)
    list(_places(tree))[number].put()
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def _places(tree: ast.Module) -> Iterator[_Place]:
    for node in _reached(tree):
        line = getattr(node, "lineno", 0)
        for put in _faults(node):
            yield _Place(line, put, node)


def _reached(node: ast.AST) -> Iterator[ast.AST]:
    """All that runs: no types, no words for people, nothing that only a type checker reads."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_params", "decorator_list", "bases"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr):
                continue
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            # The words of an error are not stable, that it is raised is; `raise` itself is a place.
            if isinstance(child, ast.Raise):
                yield child
                continue
            yield from _reached(child)


def _faults(node: ast.AST) -> Iterator[Callable[[], None]]:
    if isinstance(node, (ast.BinOp, ast.BoolOp, ast.AugAssign)) and type(node.op) in _SWAPS:
        yield lambda: setattr(node, "op", _SWAPS[type(node.op)]())
    elif isinstance(node, ast.Compare):
        for at in range(len(node.ops)):
            yield lambda at=at: node.ops.__setitem__(at, _SWAPS[type(node.ops[at])]())  # type: ignore[misc]
    elif isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
        yield lambda: setattr(node, "value", not node.value if isinstance(node.value, bool) else node.value + 1)
    elif isinstance(node, (ast.If, ast.While, ast.IfExp)):
        yield lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), copy.deepcopy(node.test)))
    elif isinstance(node, ast.Return) and node.value is not None and not _is_constant(node.value, None):
        yield lambda: setattr(node, "value", ast.Constant(None))
    elif isinstance(node, (ast.Break, ast.Continue)):
        yield lambda: setattr(node, "__class__", ast.Continue if isinstance(node, ast.Break) else ast.Break)
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.If, ast.For, ast.With)):
        pass
    if isinstance(node, (ast.Raise, ast.Expr)) and not _is_words(node):
        yield lambda: _forget(node)


def _forget(node: ast.AST) -> None:
    """The statement is left out; what it would have needed is not looked at."""
    for name in node._fields:
        if hasattr(node, name):
            delattr(node, name)
    node.__class__ = ast.Pass


def _is_constant(node: ast.AST, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _is_words(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, (ast.Constant, ast.Yield, ast.YieldFrom, ast.Await))

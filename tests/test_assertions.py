"""Tests that can fail: no assertion that only runs in a loop over nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
FILES = sorted(TESTS.rglob("test_*.py"))

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> Iterator[Function]:
    """The test functions of a module, those of classes included.

    Property tests are left out: hypothesis tries empty things, too, and many others.
    """
    for node in ast.walk(tree):
        if not isinstance(node, Function) or not node.name.startswith("test_"):
            continue
        if not any(ast.unparse(decorator).startswith("given(") for decorator in node.decorator_list):
            yield node


def is_check(node: ast.AST) -> bool:
    """Whether a statement can fail a test: ``assert``, ``pytest.raises(…)``, or a helper that asserts."""
    if isinstance(node, ast.Assert):
        return True
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        return name.startswith(("pytest.raises", "pytest.fail")) or name.rpartition(".")[2].startswith(
            ("assert_", "check", "expect", "validate")
        )
    return False


def names(node: ast.AST) -> set[str]:
    """Every name and attribute in an expression."""
    found = {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}
    return found | {child.attr for child in ast.walk(node) if isinstance(child, ast.Attribute)}


def constants(tree: ast.Module | Function) -> set[str]:
    """Names that a module or a function gives to literals with something in them."""
    found = set()
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if cannot_be_empty(statement.value, set()):
                found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def cannot_be_empty(node: ast.expr, known: set[str]) -> bool:
    """Whether a loop over the expression runs at least once: literals, constants, ranges, and views of those."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(
            not isinstance(item, ast.Starred) or cannot_be_empty(item.value, known) for item in node.elts
        )
    if isinstance(node, ast.Dict):
        return bool(node.keys)
    if isinstance(node, ast.Constant):
        return bool(node.value)
    if isinstance(node, ast.Name):
        return node.id in known
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return cannot_be_empty(node.left, known) or cannot_be_empty(node.right, known)
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        if name == "range":
            return all(isinstance(argument, ast.Constant) for argument in node.args)
        if name in ("enumerate", "sorted", "reversed", "list", "tuple", "set", "dict.fromkeys", "product"):
            return all(cannot_be_empty(argument, known) for argument in node.args[:1])
        if name in ("zip", "itertools.product"):
            # `zip(…, strict=True)` fails when only one of them is empty.
            return any(cannot_be_empty(argument, known) for argument in node.args)
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("items", "values", "keys"):
            return cannot_be_empty(node.func.value, known)
    return False


def outer_loops(function: Function) -> list[ast.For | ast.AsyncFor]:
    """The loops that check something, without the loops inside them."""
    found = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.For | ast.AsyncFor) and any(map(is_check, ast.walk(node)))
    ]
    inner = {id(child) for loop in found for child in ast.walk(loop) if child is not loop}
    return [loop for loop in found if id(loop) not in inner]


def vacuous(function: Function, known: set[str]) -> Iterator[str]:
    """The loops that check something, over what may be empty and no assertion outside of them speaks of."""
    known = known | constants(function)
    loops = outer_loops(function)
    looped = {id(child) for loop in loops for child in ast.walk(loop)}
    asserted = {
        name
        for node in ast.walk(function)
        if isinstance(node, ast.Assert) and id(node) not in looped
        for name in names(node.test)
    }
    for loop in loops:
        if not cannot_be_empty(loop.iter, known) and not names(loop.iter) & asserted:
            yield f"line {loop.lineno}: for … in {ast.unparse(loop.iter)}"


@pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(TESTS)) for file in FILES])
def test_no_test_passes_because_there_is_nothing_to_check(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    known = constants(tree)
    found = [
        f"{function.name}, {words}" for function in functions(tree) for words in vacuous(function, known)
    ]
    assert not found, "assert before the loop that it runs, or parametrize:\n" + "\n".join(found)


TABLE: dict[str, int] = {
    "for x in found():\n        assert x": 1,
    "for x in ():\n        assert x": 1,
    "for x in (1, *found()):\n        assert x": 0,
    "y = {1: 2}\n    for x in y.items():\n        assert x": 0,
    "y = {}\n    for x in y.items():\n        assert x": 1,
    "for x in range(3):\n        assert x": 0,
    "for x in TABLE.items():\n        assert x": 0,
    "y = found()\n    assert y\n    for x in y:\n        assert x": 0,
    "y = found()\n    assert z\n    for x in y:\n        assert x": 1,
    "for x in found():\n        for z in x:\n            assert z": 1,
    "for x in found():\n        print(x)\n    assert True": 0,
    "for x in found():\n        with pytest.raises(ValueError):\n            x()": 1,
}


@pytest.mark.parametrize("body", TABLE)
def test_loops_over_nothing_are_found(body: str) -> None:
    tree = ast.parse(f"TABLE = {{1: 2}}\ndef test_it():\n    {body}\n")
    (function,) = functions(tree)
    assert len(list(vacuous(function, constants(tree)))) == TABLE[body]

"""`lokictl.records.dataclass` makes what `dataclasses.dataclass` makes; each class here is made by both."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import math
import operator
import pickle
from collections.abc import Callable
from dataclasses import KW_ONLY, FrozenInstanceError, field, fields, replace
from functools import partial
from typing import Any

import pytest

from lokictl import records

OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"slots": True},
    {"frozen": True},
    {"frozen": True, "slots": True},
    {"frozen": True, "eq": False},
    {"frozen": True, "slots": True, "order": True},
    {"kw_only": True},
)


def family(dataclass: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """Classes of every shape, under names that stay the same."""

    @dataclass(**options)
    class Empty:
        pass

    @dataclass(**options)
    class One:
        """One field."""

        value: Any

    @dataclass(**options)
    class Many:
        name: str
        hidden: int = field(default=1, repr=False, compare=False)
        names: list[str] = field(default_factory=list)
        later: int = field(default=7, init=False)
        made: dict[str, int] = field(default_factory=dict, init=False)
        _: KW_ONLY
        word: str = "w"

    @dataclass(**options)
    class Heir(Many):
        extra: int = 3

        def __post_init__(self) -> None:
            if self.extra < 0:
                raise ValueError("extra is below zero")

    @dataclass(**options)
    class Stubborn:
        value: int

        def __repr__(self) -> str:
            return "stubborn"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 5

    class Plain(One):  # type: ignore[misc, valid-type]
        def __init__(self, value: int) -> None:
            super().__init__(value + 1)

    return {cls.__name__: cls for cls in (Empty, One, Many, Heir, Stubborn, Plain)}


CALLS: tuple[tuple[str, tuple[Any, ...], dict[str, Any]], ...] = (
    ("Empty", (), {}),
    ("Empty", (1,), {}),
    ("One", (1,), {}),
    ("One", (), {"value": math.nan}),
    ("One", (), {}),
    ("One", (1, 2), {}),
    ("One", (), {"value": 1, "nothing": 2}),
    ("Many", ("a",), {}),
    ("Many", ("a", 2), {"word": "x"}),
    ("Many", (), {"name": "a", "names": ["b"], "hidden": 9}),
    ("Many", ("a", 2, [], "w"), {}),
    ("Many", ("a",), {"later": 1}),
    ("Heir", ("a",), {}),
    ("Heir", (), {"name": "a", "extra": 4}),
    ("Heir", (), {"name": "a", "extra": -4}),
    ("Stubborn", (1,), {}),
    ("Stubborn", (), {"value": 1}),
    ("Plain", (1,), {}),
)


def outcome(action: Callable[[], Any]) -> Any:
    """What an action gives, or the error that it ends in, in words."""
    try:
        return repr(action())
    except (TypeError, ValueError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"


def behavior_of(one: Any) -> list[Any]:
    """What can be done with an object."""
    found: list[Any] = [
        outcome(lambda: hash(one) == hash(copy.copy(one))),
        outcome(lambda: copy.deepcopy(one) == one),
        outcome(lambda: vars(copy.copy(one))),
        outcome(lambda: dataclasses.asdict(one)),
        [(item.name, item.default, item.kw_only, item.type) for item in fields(one)],
    ]
    # Not attributes of other names: with slots, Python 3.11 refuses those by an error of its own.
    for attribute in {"value", "word"} & {item.name for item in fields(one)}:
        found.append(outcome(partial(setattr, copy.copy(one), attribute, 3)))
        found.append(outcome(partial(delattr, copy.copy(one), attribute)))
    return found


def behavior(classes: dict[str, Any]) -> list[Any]:
    """What can be done with the classes, with objects of them, and with every pair of these."""
    found: list[Any] = []
    objects: list[Any] = []
    for name, positional, named in CALLS:
        call = partial(classes[name], *positional, **named)
        found.append((name, outcome(call)))
        if "Error" not in found[-1][1]:
            objects.append(call())
    for one in objects:
        found += behavior_of(one)
        for other in objects:
            found.append([outcome(partial(compare, one, other)) for compare in (operator.eq, operator.lt)])
    for cls in classes.values():
        found += [getattr(cls, "__match_args__", None), getattr(cls, "__slots__", None), cls.__qualname__]
        found += [str(inspect.signature(cls)), cls.__init__.__qualname__, cls.__hash__ is None]
    return found


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_same_as_the_standard_one(options: dict[str, Any]) -> None:
    own, standard = (
        behavior(family(records.dataclass, options)),
        behavior(family(dataclasses.dataclass, options)),
    )
    assert own == standard


@records.dataclass(frozen=True, slots=True)
class Point:
    """A class that `pickle` can find by name."""

    x: int
    y: int = 0
    around: tuple[Point, ...] = ()


@records.dataclass
class Ring:
    others: list[Any] = field(default_factory=list)


def test_pickle_knows_them_before_the_first_call() -> None:
    point = Point(1, 2, (Point(3),))
    assert pickle.loads(pickle.dumps(point)) == point
    unmade = Point.__new__(Point)
    unmade.__setstate__([1, 2, ()])  # type: ignore[attr-defined]
    assert unmade == Point(1, 2)


def test_match_and_replace_know_them() -> None:
    match replace(Point(1), y=5):
        case Point(1, y):
            assert y == 5
        case _:
            pytest.fail("not matched")


def test_an_object_that_contains_itself_can_be_shown() -> None:
    ring = Ring()
    ring.others.append(ring)
    assert repr(ring) == "Ring(others=[...])"


def test_a_frozen_object_says_what_it_refuses() -> None:
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        Point(1).x = 2  # type: ignore[misc]


def test_a_frozen_object_takes_no_other_attributes() -> None:
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'other'"):
        Point(1).other = 2  # type: ignore[attr-defined]


def test_the_initializer_is_compiled_at_the_first_call() -> None:
    @records.dataclass
    class Late:
        value: int

    assert isinstance(vars(Late)["__init__"], records.Initializer)
    assert Late(3).value == 3
    assert inspect.isfunction(vars(Late)["__init__"])

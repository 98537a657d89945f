"""Dataclasses that cost little to define.

`dataclass` means what `dataclasses.dataclass` means, and makes classes that `fields`, `replace`, `asdict`, ``match``
and ``pickle`` know.  The standard one compiles six methods for every class while its module is imported: a third of
what `lokictl lint` took to start.  Of these only ``__init__`` has to be compiled, and that is done when the class is
first called.

What is missing: ``InitVar``, ``init=False`` of a whole class, and inheriting by a standard frozen dataclass.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

Parts = Callable[[Any], tuple[Any, ...]]


class Factory:
    """The default of a parameter whose field has a default factory; help pages show it."""

    def __repr__(self) -> str:
        return "<factory>"


FACTORY = Factory()

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(
        cls: type | None = None,
        /,
        *,
        frozen: bool = False,
        slots: bool = False,
        kw_only: bool = False,
        eq: bool = True,
        order: bool = False,
    ) -> Any:
        """The class decorator, with or without options."""

        def decorate(cls: type) -> type:
            if cls.__doc__ is None:
                # Otherwise the standard library looks for a signature to write there.
                cls.__doc__ = cls.__name__
            made = dataclasses.dataclass(cls, init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)
            methods = {"__init__": Initializer(made, frozen), "__repr__": represent}
            if eq:
                parts = parts_of(made)
                methods |= comparisons(parts, order)
                methods["__hash__"] = (lambda self: hash(parts(self))) if frozen else None
            if frozen:
                methods |= frozen_methods(made)
            if frozen and slots:
                methods |= {"__getstate__": get_state, "__setstate__": set_state}
            own = vars(made)
            for name, method in methods.items():
                if name not in own or (name == "__hash__" and own[name] is None):
                    setattr(made, name, method)
            return made

        return decorate if cls is None else decorate(cls)


class Initializer:
    """Stands for ``__init__`` of a class until somebody asks for it, and then puts it in its own place."""

    def __init__(self, cls: Any, frozen: bool) -> None:
        self.cls = cls
        self.frozen = frozen

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        method = written_initializer(self.cls, self.frozen)
        self.cls.__init__ = method
        return method.__get__(instance, owner)


def written_initializer(cls: Any, frozen: bool) -> Any:
    """``__init__`` as somebody would write it by hand: one assignment for each field."""
    scope: dict[str, Any] = {"_set": object.__setattr__, "_FACTORY": FACTORY}
    positional: list[str] = ["self"]
    keywords: list[str] = []
    lines: list[str] = []
    annotations: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        name, value = field.name, field.name
        made = field.default_factory is not MISSING
        optional = made or field.default is not MISSING
        scope[f"_default_{name}"] = FACTORY if made else field.default
        scope[f"_make_{name}"] = field.default_factory
        if field.init:
            annotations[name] = field.type
            parameter = f"{name}=_default_{name}" if optional else name
            (keywords if field.kw_only else positional).append(parameter)
            if made:
                value = f"_make_{name}() if {name} is _FACTORY else {name}"
        elif made:
            value = f"_make_{name}()"
        elif optional and getattr(cls, name) is not field.default:  # a slot
            value = f"_default_{name}"
        else:
            continue
        lines.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    parameters = ", ".join([*positional, *(["*", *keywords] if keywords else [])])
    exec(f"def __init__({parameters}):\n " + "\n ".join(lines or ["pass"]), scope)  # noqa: S102 - our own text
    method = scope["__init__"]
    method.__qualname__ = f"{cls.__qualname__}.__init__"
    method.__module__ = cls.__module__
    method.__annotations__ = {**annotations, "return": None}
    return method


@recursive_repr()
def represent(self: Any) -> str:
    """``Name(field=value, …)``"""
    shown = [
        f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr
    ]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def parts_of(cls: Any) -> Parts:
    """What gives the values of an object that are compared."""
    names = [field.name for field in dataclasses.fields(cls) if field.compare]
    if not names:
        return lambda self: ()
    part = operator.attrgetter(*names)
    return part if len(names) > 1 else lambda self: (part(self),)


def comparisons(parts: Parts, order: bool) -> dict[str, Any]:
    """``__eq__``, and the four of an order."""

    def method(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def compared(self: Any, other: Any) -> Any:
            if other.__class__ is not self.__class__:
                return NotImplemented
            return compare(parts(self), parts(other))

        return compared

    names = ("__eq__", *(("__lt__", "__le__", "__gt__", "__ge__") if order else ()))
    return {name: method(getattr(operator, name)) for name in names}


def frozen_methods(cls: Any) -> dict[str, Any]:
    """What refuses to change a field, and any attribute of the class itself; an heir may have others."""
    names = frozenset(field.name for field in dataclasses.fields(cls))

    def set_attribute(self: Any, name: str, value: object) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def delete_attribute(self: Any, name: str) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return {"__setattr__": set_attribute, "__delattr__": delete_attribute}


def get_state(self: Any) -> list[Any]:
    """What ``pickle`` keeps of a frozen object with slots, whose attributes it could not set."""
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def set_state(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)

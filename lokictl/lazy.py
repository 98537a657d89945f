"""Modules and names that are imported when they are first used: a command needs few of those that it could use."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, AnyStr, cast


class LazyModule:
    """Stands for a module; reading any of its names imports it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


def lazy(name: str) -> Any:
    """The module ``name``, not yet imported.  Under `TYPE_CHECKING` write the real import beside it."""
    return LazyModule(name)


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """``__getattr__`` of a package whose names come from its modules: each is imported when a name is asked for.

    ``homes`` has the module of every name; ``module:other`` where it is called otherwise there.
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, _, other = homes[name].partition(":")
        value = getattr(importlib.import_module(f"{package}.{module}"), other or name)
        setattr(sys.modules[package], name, value)
        return value

    return find


class LazyPattern:
    """Stands for a regular expression; the first use compiles it."""

    def __init__(self, pattern: Any, flags: int) -> None:
        self._arguments = (pattern, flags)

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(re.compile(*self._arguments), attribute)
        setattr(self, attribute, value)
        return value


def lazy_pattern(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """`re.compile`, not yet done: few of the patterns of a module are used in a run.

    For patterns that are used on every line or token, and as arguments of functions of `re`, take `re.compile`.
    """
    return cast("re.Pattern[AnyStr]", LazyPattern(pattern, flags))


@contextmanager
def patterns_compiled_later() -> Iterator[None]:
    """While a library is imported: its patterns are compiled when they are first used.

    Only for libraries that use them by their methods, never as arguments of functions of `re`.
    """
    original = re.compile
    setattr(re, "compile", lazy_pattern)  # noqa: B010 - the type checker takes it for a mistake
    try:
        yield
    finally:
        setattr(re, "compile", original)  # noqa: B010

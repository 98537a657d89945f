"""The names that users of the package import from `lokictl` itself."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import lokictl


@pytest.mark.parametrize("name", lokictl.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    value = getattr(lokictl, name)
    assert value is not None
    if callable(value):
        assert value.__doc__


def test_the_list_of_names_is_complete() -> None:
    assert sorted(lokictl._MODULES) == sorted(lokictl.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'lokictl' has no attribute 'prase'"):
        lokictl.prase  # noqa: B018


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, lokictl; print([m for m in sys.modules if m.startswith('lokictl.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


ERRORS = (
    "lokictl.diagnostics.LokictlError",
    "lokictl.logql.ParseError",
    "lokictl.engine.EngineError",
    "lokictl.templates.errors.TemplateError",
    "lokictl.backends.BackendError",
)


@pytest.mark.parametrize("path", ERRORS)
def test_every_exception_has_one_root(path: str) -> None:
    module, _, name = path.rpartition(".")
    assert issubclass(getattr(importlib.import_module(module), name), lokictl.Error)

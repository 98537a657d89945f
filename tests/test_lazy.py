"""What stands for modules, names and patterns until they are used."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from lokictl import lazy


def test_a_module_is_imported_when_a_name_is_read() -> None:
    code = (
        "import sys; from lokictl.lazy import lazy\n"
        "module = lazy('colorsys'); print('colorsys' in sys.modules)\n"
        "print(module.rgb_to_yiq.__name__, 'colorsys' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "rgb_to_yiq", "True"]


def test_a_pattern_is_compiled_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[object] = []
    original = re.compile
    monkeypatch.setattr(
        lazy.re, "compile", lambda *arguments: compiled.append(arguments) or original(*arguments)
    )
    pattern = lazy.lazy_pattern(r"a(?P<b>.)", re.IGNORECASE)
    assert compiled == []
    found = pattern.match("AX")
    assert found is not None
    assert found["b"] == "X"
    assert pattern.match("ay")
    assert pattern.sub("-", "abc") == "-c"
    assert (pattern.pattern, pattern.flags & re.IGNORECASE) == (r"a(?P<b>.)", re.IGNORECASE)
    assert set(compiled) == {(r"a(?P<b>.)", re.IGNORECASE)}


def test_a_wrong_pattern_fails_where_it_is_used() -> None:
    pattern = lazy.lazy_pattern("(")
    with pytest.raises(re.error):
        pattern.search("x")


def test_yaml_comes_without_compiled_patterns_and_reads_as_ever() -> None:
    code = (
        "import re; compiled = re.compile\n"
        "from lokictl.model.yaml_library import yaml\n"
        "assert re.compile is compiled\n"
        "print(type(yaml.reader.Reader.NON_PRINTABLE).__name__)\n"
        "print(yaml.load('[1, 2.5, ~, yes, 2026-01-02, \"a\\\\u00e9\"]', yaml.SafeLoader))\n"
        "try:\n    yaml.load('a: \\x07', yaml.SafeLoader)\n"
        "except yaml.YAMLError as error:\n    print(type(error).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "LazyPattern",
        "[1, 2.5, None, True, datetime.date(2026, 1, 2), 'aé']",
        "ReaderError",
    ]

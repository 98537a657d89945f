"""Reads rule test files; every problem has its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any, overload

from lokictl.diagnostics import LokictlError, Position, Problem, Severity
from lokictl.model.documents import Cursor
from lokictl.model.yaml_events import OddityError
from lokictl.model.yaml_items import SplitDocument, split_document
from lokictl.model.yaml_source import Path, YamlDocument, load_document, unknown_keys
from lokictl.records import dataclass
from lokictl.testing.expectation_reader import ExpectationReader
from lokictl.testing.model import (
    DEFAULT_INTERVAL,
    DEFAULT_START,
    MutationException,
    TestCase,
    TestFile,
)
from lokictl.testing.reader import Reader, ReadError
from lokictl.testing.stream_reader import StreamReader

FILE_KEYS = (
    "rule_files",
    "evaluation_interval",
    "group_eval_order",
    "fuzzy_compare",
    "discover_service_name",
    "discover_log_levels",
    "mutation_exceptions",
    "tests",
)
TEST_KEYS = (
    "name",
    "interval",
    "start_timestamp",
    "external_labels",
    "external_url",
    "input_streams",
    "alert_rule_test",
    "recording_rule_test",
    "logql_expr_test",
)
LONG = 200_000
"""Characters of a test file whose tests are better read as they run."""

_FILE_KEY = re.compile(r"""\bfile["']? *:""")
EXCEPTION_KEYS = ("rule", "change", "reason")
TEST_WORDS = ("input_streams", "alert_rule_test", "logql_expr_test", "recording_rule_test")


def load_test_file(path: str | FilePath) -> TestFile:
    """The tests of a file.  Raises `LokictlError` with every problem found."""
    return parse_test_file(_text_of(path), str(path))


def open_test_file(path: str | FilePath) -> TestFile:
    """As `load_test_file`, but the tests of a long file are `LongTests`, whose problems are found later."""
    text, file = _text_of(path), str(path)
    # What files of lines lack are warnings about the whole file.
    split = split_document(text, file, "tests") if len(text) >= LONG and not _FILE_KEY.search(text) else None
    if split is not None:
        reader = FileReader(split.rest)
        opened = reader.file()
        if not reader.problems:
            return replace(opened, tests=LongTests(split, reader.shared()))
    return parse_test_file(text, file)


def _text_of(path: str | FilePath) -> str:
    try:
        return FilePath(path).read_text(encoding="utf-8")
    except OSError as error:
        message = f"cannot read the file: {error.strerror or error}"
        raise LokictlError(Problem("file/unreadable", message, position=Position(str(path)))) from None
    except UnicodeDecodeError as error:
        message = f"the file is not UTF-8 text (byte {error.start})"
        raise LokictlError(Problem("file/unreadable", message, position=Position(str(path)))) from None


def parse_test_file(text: str, path: str = "") -> TestFile:
    """As `load_test_file`, for text; ``path`` names it, and files that it names are looked for beside it."""
    document = load_document(text, path)
    if not isinstance(document.value, dict):
        message = "a test file is a mapping with `tests:`"
        raise LokictlError(
            document.problem("test/syntax", message, hint="`lokictl schema test` prints the format")
        )
    reader = FileReader(document)
    file = reader.file()
    if any(problem.severity == Severity.ERROR for problem in reader.problems):
        raise LokictlError(reader.problems)
    return replace(file, warnings=tuple(reader.problems))


def is_test_text(text: str) -> bool:
    """Whether a YAML text looks like a rule test file (cheap: looks at words only)."""
    return ("\ntests:" in text or text.startswith("tests:")) and any(word in text for word in TEST_WORDS)


class LongTests(Sequence[TestCase]):
    """The tests of a long file, read a few at a time whenever they are asked for, and not kept.

    Raises `OddityError` for a test that has a problem, or that cannot be read without the rest of the file: then
    the whole file has to be read (`load_test_file`).  That two tests have the same name is not noticed.
    """

    def __init__(self, split: SplitDocument, shared: Shared) -> None:
        self._split, self._shared = split, shared

    def __len__(self) -> int:
        return len(self._split)

    @overload
    def __getitem__(self, index: int) -> TestCase: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[TestCase]: ...
    def __getitem__(self, index: int | slice) -> TestCase | Sequence[TestCase]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        document, place = self._split.item(number)
        problems: list[Problem] = []
        test = CaseReader(document, problems, self._shared).test(document.value[place], (place,), number)
        if test is None or problems:
            raise OddityError
        return test


@dataclass(frozen=True)
class Shared:
    """What a file says about all of its tests."""

    interval: int
    discover_service_name: bool
    discover_log_levels: bool


class FileReader(Reader):
    """Builds a test file, collecting problems."""

    def file(self) -> TestFile:
        value = self.document.value
        self.problems += unknown_keys(self.document, FILE_KEYS, name="test/unknown-key", what="a test file")
        shared = self.shared()
        cases = CaseReader(self.document, self.problems, shared)
        tests = [
            test
            for index, item in enumerate(self.list_of(value.get("tests"), ("tests",)))
            if (test := cases.test(item, ("tests", index), index)) is not None
        ]
        self._check_names(tests)
        return TestFile(
            self.document.source.file,
            tuple(tests),
            tuple(self.texts(value.get("rule_files"), ("rule_files",))),
            shared.interval,
            tuple(self.texts(value.get("group_eval_order"), ("group_eval_order",))),
            self.boolean(value.get("fuzzy_compare"), ("fuzzy_compare",)),
            tuple(
                found
                for index, item in enumerate(
                    self.list_of(value.get("mutation_exceptions"), ("mutation_exceptions",))
                )
                if (found := self.exception(item, ("mutation_exceptions", index))) is not None
            ),
            document=self.document,
        )

    def shared(self) -> Shared:
        """What holds for all tests."""
        interval = self.duration(self.document.value.get("evaluation_interval"), ("evaluation_interval",))
        return Shared(
            interval or DEFAULT_INTERVAL,
            self.switch("discover_service_name"),
            self.switch("discover_log_levels"),
        )

    def switch(self, key: str) -> bool:
        """A setting of the whole file that is true or false."""
        return self.boolean(self.document.value.get(key), (key,))

    def exception(self, value: Any, path: Path) -> MutationException | None:
        if not self.mapping(value, path, "a mutation exception", EXCEPTION_KEYS):
            return None
        found = {key: self.text(value.get(key), (*path, key)) for key in EXCEPTION_KEYS}
        missing = [key for key in EXCEPTION_KEYS if not found[key].strip()]
        if missing:
            hint = "give the rule, the mutation (`*` matches anything), and why no test needs to catch it"
            self.problem(f"`{missing[0]}` is missing", path, hint=hint)
            return None
        return MutationException(**found, place=Cursor(self.document, path))

    def _check_names(self, tests: list[TestCase]) -> None:
        seen: set[str] = set()
        for test in tests:
            if test.name in seen and test.place is not None:
                self.problem(f'two tests are called "{test.name}"', (*test.place.path, "name"))
            seen.add(test.name)


class CaseReader(Reader):
    """Builds tests, collecting problems."""

    def __init__(self, document: YamlDocument, problems: list[Problem], shared: Shared) -> None:
        super().__init__(document, problems)
        self.shared = shared

    def test(self, value: Any, path: Path, index: int) -> TestCase | None:
        """The test number ``index`` of a file, at ``path`` of the document; None where it cannot be read."""
        if not self.mapping(value, path, "a test", TEST_KEYS):
            return None
        name = str(value.get("name") or f"test {index + 1}")
        interval = self.duration(value.get("interval"), (*path, "interval")) or self.shared.interval
        try:
            given = self.start(value, path)
            streams = StreamReader(self.document, self.problems, interval, given)
            inputs, start = streams.streams(value.get("input_streams"), (*path, "input_streams"))
        except ReadError:
            return None
        expectations = ExpectationReader(self.document, self.problems, start, interval)
        return TestCase(
            name,
            start=start,
            interval=interval,
            streams=inputs,
            alerts=tuple(expectations.alerts(value.get("alert_rule_test"), (*path, "alert_rule_test"))),
            recordings=tuple(
                expectations.recordings(value.get("recording_rule_test"), (*path, "recording_rule_test"))
            ),
            queries=tuple(expectations.queries(value.get("logql_expr_test"), (*path, "logql_expr_test"))),
            external_labels=self.labels(value.get("external_labels"), (*path, "external_labels")),
            external_url=self.text(value.get("external_url"), (*path, "external_url")),
            discover_service_name=self.shared.discover_service_name,
            discover_log_levels=self.shared.discover_log_levels,
            place=Cursor(self.document, path),
        )

    def start(self, value: dict[str, Any], path: Path) -> int | None:
        """The start that the test gives; None where it gives none."""
        if value.get("start_timestamp") is None:
            return None
        return self.time(value["start_timestamp"], (*path, "start_timestamp"), DEFAULT_START)

"""Reads rule test files; every problem has its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

from lokictl.diagnostics import LokictlError, Position, Problem, Severity
from lokictl.model.documents import Cursor
from lokictl.model.yaml_source import Path, load_document, unknown_keys
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
EXCEPTION_KEYS = ("rule", "change", "reason")
TEST_WORDS = ("input_streams", "alert_rule_test", "logql_expr_test", "recording_rule_test")


def load_test_file(path: str | FilePath) -> TestFile:
    """The tests of a file.  Raises `LokictlError` with every problem found."""
    try:
        text = FilePath(path).read_text(encoding="utf-8")
    except OSError as error:
        message = f"cannot read the file: {error.strerror or error}"
        raise LokictlError(Problem("file/unreadable", message, position=Position(str(path)))) from None
    except UnicodeDecodeError as error:
        message = f"the file is not UTF-8 text (byte {error.start})"
        raise LokictlError(Problem("file/unreadable", message, position=Position(str(path)))) from None
    return parse_test_file(text, str(path))


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


class FileReader(Reader):
    """Builds a test file, collecting problems."""

    def file(self) -> TestFile:
        value = self.document.value
        self.problems += unknown_keys(self.document, FILE_KEYS, name="test/unknown-key", what="a test file")
        interval = (
            self.duration(value.get("evaluation_interval"), ("evaluation_interval",)) or DEFAULT_INTERVAL
        )
        tests = [
            test
            for index, item in enumerate(self.list_of(value.get("tests"), ("tests",)))
            if (test := self.test(item, ("tests", index), interval)) is not None
        ]
        self._check_names(tests)
        return TestFile(
            self.document.source.file,
            tuple(tests),
            tuple(self.texts(value.get("rule_files"), ("rule_files",))),
            interval,
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

    def test(self, value: Any, path: Path, interval: int) -> TestCase | None:
        if not self.mapping(value, path, "a test", TEST_KEYS):
            return None
        name = str(value.get("name") or f"test {int(path[-1]) + 1}")
        interval = self.duration(value.get("interval"), (*path, "interval")) or interval
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
            discover_service_name=self.switch("discover_service_name"),
            discover_log_levels=self.switch("discover_log_levels"),
            place=Cursor(self.document, path),
        )

    def switch(self, key: str) -> bool:
        """A setting of the whole file that is true or false."""
        return self.boolean(self.document.value.get(key), (key,))

    def start(self, value: dict[str, Any], path: Path) -> int | None:
        """The start that the test gives; None where it gives none."""
        if value.get("start_timestamp") is None:
            return None
        return self.time(value["start_timestamp"], (*path, "start_timestamp"), DEFAULT_START)

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

"""A log query asked about one line at a time, for lines that lie in no store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lokictl.engine.evaluator import CompiledQuery, valid_labels
from lokictl.engine.extraction import compile_selector_test
from lokictl.engine.hints import log_hints
from lokictl.engine.labels import Labels, label_builder
from lokictl.engine.pipeline import Pipeline, ordered
from lokictl.engine.prefilter import Texts, required_texts, texts_of_line_filter
from lokictl.engine.result import LogLine, Result
from lokictl.engine.store import Stream, readable
from lokictl.logql import ast
from lokictl.logql.semantics import writes_line

Found = tuple[Labels, str, Labels, Labels, Labels]
"""A line that a query finds: its labels, its text, and its labels by category."""


class LineQuery:
    """One log query over the lines of one stream.

    A line can only be found if for each of ``required`` one of the strings is in it; a string of ``escapable`` ones may
    also stand there with escapes, so that a line with a backslash is never passed over for the lack of it.
    """

    def __init__(self, compiled: CompiledQuery, labels: Mapping[str, str]) -> None:
        expression = compiled.expression
        assert isinstance(expression, ast.LogExpr)
        self.stream = Stream(tuple(sorted((name, value) for name, value in labels.items() if value != "")))
        self.selects = compile_selector_test(expression.selector)(self.stream)
        stages = expression.stages
        self.pipeline = Pipeline(stages, log_hints(stages, compiled.version))
        self.builder = label_builder(self.stream.label_map, self.stream.labels, compiled.version)
        self.escapable: list[Texts] = [
            texts for name, texts in required_texts(stages) if name not in self.stream.label_map
        ]
        self.required: list[Texts] = list(_texts_of_lines(stages))
        self.changes_lines = not all(
            isinstance(stage, ast.LineFilter | ast.LabelFilterStage | ast.ParserStage)
            and not writes_line(stage)
            for stage in stages
        )
        """Whether different lines may be alike behind the stages."""
        self.needs_time = self.changes_lines
        self.takes_any = not self.required and not self.escapable
        """Whether no text has to stand in a line."""

    def find(self, line: bytes, time: int) -> Found | None:
        """The line as the answer shows it; None where the query drops it."""
        builder = self.builder
        builder.reset(())
        out = self.pipeline.run(line, time, builder)
        if out is None:
            return None
        own, metadata, parsed = builder.categorized()
        text = readable(out.decode("utf-8", "surrogateescape"))
        return (
            builder.labels(),
            text,
            valid_labels(own),
            valid_labels(metadata),
            valid_labels(parsed),
        )


def _texts_of_lines(stages: Sequence[ast.Stage]) -> list[Texts]:
    """The strings that the line filters ask for, up to the first stage that changes the line."""
    found = []
    for stage in ordered(stages):
        if writes_line(stage):
            break
        if isinstance(stage, ast.LineFilter):
            texts = texts_of_line_filter(stage)
            if texts:
                found.append(texts)
    return found


def as_result(found: Iterable[tuple[int, Found]]) -> Result:
    """The answer of a log query that found these lines (time and line), which are in its order."""
    streams: dict[Labels, list[LogLine]] = {}
    for time, (labels, text, own, metadata, parsed) in found:
        streams.setdefault(labels, []).append(LogLine(time, text, own, metadata, parsed))
    return Result(
        "streams", streams=[(dict(valid_labels(labels)), lines) for labels, lines in sorted(streams.items())]
    )

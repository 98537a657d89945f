"""A pipeline compiled once: the stages in the order in which Loki runs them, as one function per line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lokictl.engine import stages as st
from lokictl.engine.errors import EngineError
from lokictl.engine.hints import Hints
from lokictl.engine.label_filter import compile_label_filter, is_no_op
from lokictl.engine.labels import LabelBuilder
from lokictl.engine.line_filter import compile_line_filter
from lokictl.engine.stages import StageFunction
from lokictl.logql import LogQLError, ast


def ordered(stages: Sequence[ast.Stage]) -> list[ast.Stage]:
    """Line filters move in front of the stages of their segment; label filters, line_format and unpack end one."""
    out: list[ast.Stage] = []
    filters: list[ast.Stage] = []
    others: list[ast.Stage] = []

    def flush() -> None:
        out.extend(filters)
        out.extend(others)
        filters.clear()
        others.clear()

    for stage in stages:
        if isinstance(stage, ast.LabelFilterStage):
            flush()
            out.append(stage)
        elif isinstance(stage, ast.LineFilter):
            filters.append(stage)
        else:
            others.append(stage)
            if isinstance(stage, ast.LineFormat | ast.UnpackParser):
                flush()
    flush()
    return out


def without_dead_formats(stages: Sequence[ast.Stage]) -> list[ast.Stage]:
    """The stages without a ``line_format`` whose line nothing reads any more (metric queries that count no bytes)."""
    kept: list[ast.Stage] = []
    for index, stage in enumerate(stages):
        if isinstance(stage, ast.LineFormat) and not any(
            isinstance(later, ast.LineFilter | ast.ParserStage) for later in stages[index:]
        ):
            continue
        kept.append(stage)
    return kept


class Pipeline:
    """Runs a line through all stages."""

    def __init__(self, stages: Sequence[ast.Stage], hints: Hints) -> None:
        self.stages = [stage for stage in ordered(stages) if not _is_no_op_stage(stage)]
        self.functions: list[StageFunction] = [_compile(stage, hints, self.stages) for stage in self.stages]

    def run(self, line: bytes, time: int, builder: LabelBuilder) -> bytes | None:
        """The line after all stages; None where one dropped it."""
        current: bytes | None = line
        for function in self.functions:
            current = function(current, time, builder)  # type: ignore[arg-type]
            if current is None:
                return None
        return current


def _is_no_op_stage(stage: ast.Stage) -> bool:
    return isinstance(stage, ast.LabelFilterStage) and is_no_op(stage.filter)


def _compile(stage: ast.Stage, hints: Hints, stages: Sequence[ast.Stage]) -> StageFunction:
    try:
        return FUNCTIONS[type(stage)](stage, hints)
    except (ValueError, LogQLError) as error:
        raise EngineError(f"parse error : stage '{_stage_text(stage, stages)}' : {error}") from None


def _stage_text(stage: ast.Stage, stages: Sequence[ast.Stage]) -> str:
    """The stage as errors show it: line filters in a row are one."""
    if not isinstance(stage, ast.LineFilter):
        return str(stage)
    place = next(index for index, other in enumerate(stages) if other is stage)
    first = last = place
    while first and isinstance(stages[first - 1], ast.LineFilter):
        first -= 1
    while last + 1 < len(stages) and isinstance(stages[last + 1], ast.LineFilter):
        last += 1
    return " ".join(map(str, stages[first : last + 1]))


def _line(test: Callable[[bytes], bool]) -> StageFunction:
    return lambda line, time, builder: line if test(line) else None


def _label(test: Callable[[LabelBuilder], bool]) -> StageFunction:
    return lambda line, time, builder: line if test(builder) else None


def _json(stage: ast.JsonParser, hints: Hints) -> StageFunction:
    return st.json_expression_stage(stage, hints) if stage.extractions else st.json_stage(hints)


FUNCTIONS: dict[type[ast.Node], Callable[[Any, Hints], StageFunction]] = {
    ast.LineFilter: lambda stage, hints: _line(compile_line_filter(stage, hints.version)),
    ast.LabelFilterStage: lambda stage, hints: _label(compile_label_filter(stage.filter, hints.version)),
    ast.JsonParser: _json,
    ast.LogfmtParser: st.logfmt_stage,
    ast.RegexpParser: st.regexp_stage,
    ast.PatternParser: st.pattern_stage,
    ast.UnpackParser: lambda stage, hints: st.unpack_stage(hints),
    ast.LineFormat: lambda stage, hints: st.line_format_stage(stage, hints.version),
    ast.LabelFormat: lambda stage, hints: st.label_format_stage(stage, hints.version),
    ast.DropLabels: lambda stage, hints: st.drop_stage(stage, hints.version),
    ast.KeepLabels: lambda stage, hints: st.keep_stage(stage, hints.version),
    ast.Decolorize: lambda stage, hints: st.decolorize_stage(),
}
"""How each kind of stage runs."""

"""What a query needs of its parsers: which labels, and which filters run while a line is read.

These hints are an optimization in Loki that shows in its answers (a line may be dropped by a filter that stands later
in the pipeline, a parser may stop before it meets an error), so they are part of the contract here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import cached_property

from lokictl.engine.ip import IpPatternError
from lokictl.engine.label_filter import compile_label_filter, is_no_op
from lokictl.engine.labels import ERROR, EXTRACTED_SUFFIX, PRESERVE_ERROR, LabelBuilder
from lokictl.logql import ast
from lokictl.logql.versions import DEFAULT, LokiVersion
from lokictl.records import dataclass
from lokictl.templates import TemplateError, compile_line_template

Filter = Callable[[LabelBuilder], bool]


@dataclass(frozen=True)
class Hints:
    """``required`` None: all labels; ``no_labels``: parsers need not run; ``filters`` by label name.

    ``version`` is the Loki to behave like.
    ``filter_nodes`` are the expressions that ``filters`` were made of.
    """

    required: frozenset[str] | None = None
    no_labels: bool = False
    filter_nodes: Mapping[str, ast.LabelFilter] = field(default_factory=dict)
    version: LokiVersion = DEFAULT

    @cached_property
    def filters(self) -> Mapping[str, Filter]:
        """The compiled label filters, by label name."""
        return {name: compile_label_filter(node, self.version) for name, node in self.filter_nodes.items()}

    def wants(self, key: str) -> bool:
        return self.required is None or key in self.required

    def wants_prefix(self, prefix: str) -> bool:
        return self.required is None or any(name.startswith(prefix) for name in self.required)

    def satisfied(self, builder: LabelBuilder) -> bool:
        """Whether nothing is left to read."""
        return self.no_labels or (self.required is not None and self.required <= builder.extracted)

    def put(self, builder: LabelBuilder, name: str, value: str) -> bool:
        """Sets a parsed label; False where a filter on it drops the line at once."""
        builder.set(name, value)
        check = self.filters.get(name)
        return check is None or check(builder)

    def fail(self, builder: LabelBuilder, error: str, details: str) -> None:
        """Records a parser's error."""
        builder.fail(error, details)
        if self.required is not None and ERROR in self.required:
            builder.set(PRESERVE_ERROR, "true")


def log_hints(stages: Sequence[ast.Stage], version: LokiVersion = DEFAULT) -> Hints:
    """The hints of a log query."""
    return Hints(filter_nodes=early_filters(stages, ()), version=version)


def metric_hints(
    stages: Sequence[ast.Stage],
    unwrap: ast.Unwrap | None,
    grouping: ast.Grouping | None,
    version: LokiVersion = DEFAULT,
) -> Hints:
    """The hints of a range aggregation whose samples are grouped by ``grouping`` while they are extracted."""
    after = unwrap.filters if unwrap else ()
    if grouping is None or grouping.without:
        return Hints(filter_nodes=early_filters(stages, after), version=version)
    required = frozenset(_required(stages, unwrap, grouping))
    if grouping.labels:
        return Hints(required, version=version)
    if not required:
        return Hints(no_labels=True, version=version)
    return Hints(required, filter_nodes=early_filters(stages, after), version=version)


def early_filters(
    stages: Sequence[ast.Stage], after: Sequence[ast.LabelFilter]
) -> dict[str, ast.LabelFilter]:
    """The first filter on each label that stands alone in its stage."""
    candidates = [stage.filter for stage in stages if isinstance(stage, ast.LabelFilterStage)]
    if len(after) == 1:
        candidates.append(after[0])
    found: dict[str, ast.LabelFilter] = {}
    for node in candidates:
        name = getattr(node, "name", None)
        if name is not None and name not in found and not is_no_op(node):
            try:
                compile_label_filter(node)
                found[name] = node
            except IpPatternError:
                # Reported where the stage itself is compiled.
                continue
    return found


def filter_names(node: ast.LabelFilter) -> Iterator[str]:
    """The labels that a filter reads."""
    if isinstance(node, ast.AndLabelFilter | ast.OrLabelFilter):
        yield from filter_names(node.left)
        yield from filter_names(node.right)
    elif not is_no_op(node):
        name = getattr(node, "name", None)
        if name is not None:
            yield name


def _required(
    stages: Sequence[ast.Stage], unwrap: ast.Unwrap | None, grouping: ast.Grouping
) -> Iterator[str]:
    for name in _named(stages, unwrap, grouping):
        yield name
        if name.endswith(EXTRACTED_SUFFIX):
            yield name.removesuffix(EXTRACTED_SUFFIX)


def _named(stages: Sequence[ast.Stage], unwrap: ast.Unwrap | None, grouping: ast.Grouping) -> Iterator[str]:
    yield from grouping.labels
    for stage in stages:
        if isinstance(stage, ast.LabelFilterStage):
            yield from filter_names(stage.filter)
        elif isinstance(stage, ast.LabelFormat):
            for item in stage.items:
                yield from template_fields(item.value) if item.is_template else (item.value,)
        elif isinstance(stage, ast.LineFormat):
            yield from template_fields(stage.template)
    if unwrap:
        yield unwrap.label
        for node in unwrap.filters:
            yield from filter_names(node)


def template_fields(text: str) -> frozenset[str]:
    """The labels that a template reads; none where it does not parse (that error is reported elsewhere)."""
    try:
        return compile_line_template(text).listed
    except TemplateError:
        return frozenset()

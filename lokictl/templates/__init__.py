"""Go's ``text/template`` as Loki's pipeline stages and Loki's ruler use it.

`compile_line_template` and `compile_label_template` are for log pipelines; `lokictl.templates.alert.expand_alert` is
what the ruler does with labels and annotations.  Everything fails with `TemplateError`, in Go's words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokictl.logql.versions import DEFAULT, LokiVersion
from lokictl.templates.errors import TemplateError

if TYPE_CHECKING:
    from lokictl.templates.pipeline import Template

__all__ = ["TemplateError", "compile_label_template", "compile_line_template"]


def compile_line_template(text: str, version: LokiVersion = DEFAULT) -> Template:
    """A template of ``line_format``.  Raises `TemplateError`."""
    from lokictl.templates import pipeline  # noqa: PLC0415 - large, and most queries have no template

    return pipeline.compile_line_template(text, version)


def compile_label_template(text: str, version: LokiVersion = DEFAULT) -> Template:
    """A template of ``label_format``.  Raises `TemplateError`."""
    from lokictl.templates import pipeline  # noqa: PLC0415 - large, and most queries have no template

    return pipeline.compile_label_template(text, version)

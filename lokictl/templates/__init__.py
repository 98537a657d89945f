"""Go's ``text/template`` as Loki's pipeline stages and Loki's ruler use it.

`compile_line_template` and `compile_label_template` are for log pipelines; `lokictl.templates.alert.expand_alert` is
what the ruler does with labels and annotations.  Everything fails with `TemplateError`, in Go's words.
"""

from lokictl.templates.errors import TemplateError
from lokictl.templates.pipeline import Template, compile_label_template, compile_line_template

__all__ = ["Template", "TemplateError", "compile_label_template", "compile_line_template"]

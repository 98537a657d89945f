"""What can be wrong with a template."""

from __future__ import annotations

from lokictl.errors import Error


class TemplateError(Error):
    """A template that does not parse or fails; ``str(error)`` is Go's message.

    ``offset`` is the character offset in the template, where it is known (-1: not known).
    """

    def __init__(self, text: str, *, offset: int = -1) -> None:
        super().__init__(text)
        self.offset = offset


class FunctionError(Exception):
    """A template function's own failure; the executor adds where it was called."""

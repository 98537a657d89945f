"""Completes pages when the site is built: the index of the lint checks gets its table."""

from __future__ import annotations

from typing import Any

from lokictl.lint.pages import table


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """The page's text; that of ``checks/README.md`` with every check, its severity and a link to its page."""
    return f"{markdown}\n{table()}" if page.file.src_uri == "checks/README.md" else markdown

"""Completes pages when the site is built: an index for the lint checks, and how to configure each of them."""

from __future__ import annotations

from typing import Any

from lokictl.lint.pages import completed, table
from lokictl.lint.registry import all_checks


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """The Markdown of a page; for those below ``checks/`` with what the linter itself knows."""
    if page.file.src_uri == "checks/README.md":
        return f"{markdown}\n{table()}"
    check = all_checks().get(page.file.src_uri.removeprefix("checks/").removesuffix(".md"))
    return markdown if check is None else completed(markdown, check)

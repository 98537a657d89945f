"""How problems are shown: as text with a caret, as annotations of GitHub Actions, as JUnit XML."""

from lokictl.reporting.text import render_problem, render_problems

__all__ = ["render_problem", "render_problems"]

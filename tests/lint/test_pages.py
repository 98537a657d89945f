"""Every check has a page, and what the page calls bad is found while what it calls good is not."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from lokictl.diagnostics import LokictlError
from lokictl.lint.pages import listing, page, settings, table
from lokictl.lint.registry import all_checks

from .helpers import findings, names_of

PAGES = Path(__file__).resolve().parent.parent.parent / "docs" / "checks"
OURS = ("logql", "rule")
CHECKS = [name for name in all_checks() if name.partition("/")[0] in OURS]


def blocks(text: str, heading: str) -> list[str]:
    """The code blocks under a heading that can be run."""
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"```(?:logql|yaml)\n(.*?)```", section, re.DOTALL)


@pytest.mark.parametrize("name", CHECKS)
def test_the_page_has_all_parts(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {name}\n")
    for heading in ("Why", "False positives"):
        assert f"## {heading}\n" in text
    assert f"**{all_checks()[name].severity}**" in text
    assert all(f"{option} = " in text for option in all_checks()[name].options)


def with_examples(heading: str) -> list[str]:
    return [name for name in CHECKS if blocks((PAGES / f"{name}.md").read_text(encoding="utf-8"), heading)]


@pytest.mark.parametrize("name", sorted({*with_examples("Bad"), *with_examples("Good")}))
def test_bad_is_found_and_good_is_not(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    cases = list(blocks(text, "Bad"))
    assert cases
    for bad in cases:
        assert name in names_of(findings(bad, name)), bad
    cases = list(blocks(text, "Good"))
    assert cases
    for good in cases:
        assert names_of(findings(good, name)) == [], good
        assert "logql/syntax" not in names_of(findings(good)), good


def test_most_pages_have_examples_that_run() -> None:
    assert set(CHECKS) - set(with_examples("Bad")) == {
        *("logql/version", "logql/field-in-selector", "rule/link", "rule/unknown-recording", "rule/no-route"),
    }


def test_every_page_is_of_a_check() -> None:
    pages = {str(file.relative_to(PAGES).with_suffix("")) for file in PAGES.glob("*/*.md")}
    assert {name for name in pages if name.partition("/")[0] in OURS} == set(CHECKS)


def test_explain_prints_the_page() -> None:
    assert page("logql/syntax").startswith("# logql/syntax")
    assert "before any check runs" in page("yaml/syntax")
    assert "logql/never-true" in listing("logql")
    assert "rule/missing-for" in listing()


@pytest.mark.parametrize("name", all_checks())
def test_every_page_ends_with_settings_that_can_be_copied(name: str) -> None:
    """A page's own example of a setting may be any; the one that is made of the defaults is valid TOML."""
    text = page(name)
    assert text.count("\n## Configure\n") == text.count("\n## Silence\n") == 1
    written = tomllib.loads(settings(all_checks()[name]).partition("```toml\n")[2].partition("```")[0])
    (found,) = written["lint"]["checks"].values()
    assert set(found) == {"severity", "enabled", *all_checks()[name].options}


def test_the_index_links_to_every_page() -> None:
    found = re.findall(r"^\| \[(.+?)\]\(\1\.md\) \|", table(), re.MULTILINE)
    assert set(found) == set(all_checks())


@pytest.mark.parametrize(
    "name, hint", [("logql/syntaxx", "logql/syntax"), ("rule/dublicate", "rule/duplicate"), ("x/y", "")]
)
def test_explain_knows_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(LokictlError) as caught:
        page(name)
    assert hint in caught.value.problems[0].hint


def test_explain_knows_families() -> None:
    with pytest.raises(LokictlError, match="unknown family"):
        listing("logq")

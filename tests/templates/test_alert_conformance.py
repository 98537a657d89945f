"""Expansions of alert templates, compared with recordings of a real Loki's."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from lokictl.templates import TemplateError
from lokictl.templates.alert import check_alert_template, expand_alert

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "data" / "alert_templates.json").read_text(encoding="utf-8")
)
BY_KIND: dict[str, list[dict[str, Any]]] = defaultdict(list)
for _case in CASES:
    BY_KIND[
        "refused at load" if "load_error" in _case else "error" if "error" in _case else "expanded"
    ].append(_case)


def answer(case: dict[str, Any]) -> tuple[str, str]:
    known = case.get("queries") or {}

    def query(expr: str, _: int) -> list[tuple[dict[str, str], float]]:
        answer = known.get(expr, {"vector": []})
        if "error" in answer:
            raise ValueError(answer["error"])
        return [(sample["labels"], float(sample["value"])) for sample in answer["vector"]]

    try:
        text = expand_alert(
            case["text"],
            name=case["alert"],
            labels=case["labels"],
            value=float(case["value"]),
            external_labels=case["externalLabels"],
            external_url=case["externalURL"],
            time_ns=case["now"] * 1_000_000,
            query=query,
        )
        return "expanded", text
    except TemplateError as error:
        return "error", str(error)


@pytest.mark.parametrize("kind", BY_KIND)
def test_expansions(kind: str) -> None:
    wrong = []
    assert BY_KIND[kind]
    for case in BY_KIND[kind]:
        outcome, text = answer(case)
        expected = "error" if "error" in case else "expanded"
        if (outcome, text) != (expected, case[expected]):
            wrong.append(
                f"{case['text']}  value {case['value']}\n  expected {case[expected]!r}\n  got      {text!r}"
            )
        if "load_error" in case:
            refused = check_alert_template(case["text"], name=case["alert"])
            if f'annotation "a": {refused}' != case["load_error"]:
                wrong.append(f"{case['text']} at load\n  expected {case['load_error']}\n  got      {refused}")
        elif check_alert_template(case["text"], name=case["alert"]):
            wrong.append(f"{case['text']} is refused at load, and should not")
    print(f"{kind}: {len(BY_KIND[kind]) - len(wrong)} of {len(BY_KIND[kind])} agree")
    assert not wrong, "\n".join(wrong[:30])

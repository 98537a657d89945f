"""Alert templates that the rulers of other Lokis expand, or refuse, differently than that of 3.7.6.

``tests/data/alert_templates_versions.json``: of the templates of ``alert_templates.json`` the other outcomes, with the
Lokis that gave them.  2.9.17 and 3.4.6 agree, and so do all versions between them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lokictl.logql.versions import LokiVersion, targeting
from lokictl.templates.alert import check_alert_template
from tests.templates.test_alert_conformance import answer

ROWS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "data" / "alert_templates_versions.json").read_text(encoding="utf-8")
)
LOKIS = sorted({loki for row in ROWS for found in row["answers"] for loki in found["loki"]})


@pytest.mark.parametrize("loki", LOKIS)
def test_other_rulers_expand_otherwise(loki: str) -> None:
    wrong = []
    with targeting(LokiVersion.parse(loki)):
        assert ROWS
        for row in ROWS:
            for found in row["answers"]:
                if loki not in found["loki"]:
                    continue
                outcome, text = answer(row)
                expected = "error" if "error" in found else "expanded"
                if (outcome, text) != (expected, found[expected]):
                    wrong.append(f"{row['text']}\n  expected {found[expected]!r}\n  got      {text!r}")
                refused = check_alert_template(row["text"], name=row["alert"])
                if bool(refused) != ("load_error" in found):
                    wrong.append(f"{row['text']}\n  load: {refused!r}")
    assert not wrong, "\n".join(wrong)

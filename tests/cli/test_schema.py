"""``lokictl schema``"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema


def test_the_schema_is_printed(lokictl: Callable[..., Any]) -> None:
    answer = lokictl("schema", "test")
    assert answer.status == 0
    schema = json.loads(answer.output)
    jsonschema.Draft7Validator.check_schema(schema)
    assert "alert_rule_test" in schema["definitions"]["test"]["properties"]


def test_formats_that_do_not_exist(lokictl: Callable[..., Any]) -> None:
    answer = lokictl("schema", "tests")
    assert answer.status == 2
    assert "test" in answer.error

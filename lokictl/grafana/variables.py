"""Template variables, with queries that work from Grafana 7 to 13."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import attr

from lokictl.grafana.targets import DataSourceRef

ALL = "$__all"
NOT_EMPTY = "..*"
"""What "All" becomes in a matcher: Loki refuses a selector whose only matcher can be empty (``.*``).

It is ``.+`` without the plus sign, which would become a space in the URL of a link.
"""


@attr.s(auto_attribs=True, kw_only=True)
class Variable(ABC):
    """What all variables share; ``hidden`` ones are set by links only."""

    name: str
    label: str = ""
    description: str = ""
    hidden: bool = False

    type = ""

    @abstractmethod
    def variable_json(self) -> dict[str, Any]:
        """The fields of this type of variable."""

    def to_json_data(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "label": self.label or self.name,
            "description": self.description,
            "type": self.type,
            "hide": 2 if self.hidden else 0,
            "skipUrlSync": False,
            **self.variable_json(),
        }


@attr.s(auto_attribs=True, kw_only=True)
class QueryVariable(Variable):
    """Values that a data source gives: ``query`` in its own words."""

    datasource: DataSourceRef
    query: str
    regex: str = ""
    multi: bool = True
    include_all: bool = True

    type = "query"

    def variable_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "datasource": self.datasource.to_json_data(),
            "query": self.query,
            "definition": self.query,
            "regex": self.regex,
            "refresh": 2,
            "sort": 1,
            "multi": self.multi,
            "includeAll": self.include_all,
            "options": [],
            "current": {},
        }
        if self.include_all:
            data |= {"allValue": NOT_EMPTY, "current": {"selected": True, "text": ["All"], "value": [ALL]}}
        return data


@attr.s(auto_attribs=True, kw_only=True)
class LokiLabelValues(Variable):
    """The values of a stream label among the streams of ``selector`` (empty: all)."""

    datasource: DataSourceRef
    stream_label: str
    selector: str = ""
    multi: bool = True
    include_all: bool = True

    type = "query"

    def variable_json(self) -> dict[str, Any]:
        inner = f"{self.selector}, {self.stream_label}" if self.selector else self.stream_label
        return QueryVariable(
            name=self.name,
            datasource=self.datasource,
            query=f"label_values({inner})",
            multi=self.multi,
            include_all=self.include_all,
        ).variable_json()


@attr.s(auto_attribs=True, kw_only=True)
class CustomVariable(Variable):
    """Values written down."""

    values: Sequence[str]
    multi: bool = True
    include_all: bool = True

    type = "custom"

    def variable_json(self) -> dict[str, Any]:
        options = [{"text": value, "value": value, "selected": False} for value in self.values]
        if not self.include_all:
            first = self.values[0]
            current: dict[str, Any] = {"selected": True, "text": first, "value": first}
            extra: dict[str, Any] = {}
        else:
            current = {"selected": True, "text": ["All"], "value": [ALL]}
            extra = {"allValue": NOT_EMPTY}
            options = [{"text": "All", "value": ALL, "selected": True}, *options]
        return {
            "query": ",".join(self.values),
            "multi": self.multi,
            "includeAll": self.include_all,
            "options": options,
            "current": current,
            **extra,
        }


@attr.s(auto_attribs=True, kw_only=True)
class TextVariable(Variable):
    """A string that people type."""

    default: str = ""

    type = "textbox"

    def variable_json(self) -> dict[str, Any]:
        value = {"text": self.default, "value": self.default}
        return {
            "query": self.default,
            "current": {"selected": True, **value},
            "options": [{"selected": True, **value}],
        }


@attr.s(auto_attribs=True, kw_only=True)
class DataSourceVariable(Variable):
    """A data source of one type to choose; panels name it ``${name}``."""

    plugin: str
    default: str = ""

    type = "datasource"

    def variable_json(self) -> dict[str, Any]:
        current = {"selected": True, "text": self.default, "value": self.default} if self.default else {}
        return {
            "query": self.plugin,
            "regex": "",
            "refresh": 1,
            "multi": False,
            "includeAll": False,
            "options": [],
            "current": current,
        }

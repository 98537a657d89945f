"""Plain typed objects (services, rules, data sources) and their file formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokictl.lazy import lazy_names

if TYPE_CHECKING:
    from lokictl.model.datasource import DataSource
    from lokictl.model.managed_translation import translate
    from lokictl.model.origin import Origin
    from lokictl.model.rule_files import load_rule_files, parse_rule_files
    from lokictl.model.rules import AlertingRule, RecordingRule, Rule, RuleFile, RuleGroup
    from lokictl.model.service import FieldType, LogField, Objectives, Service, StreamLabel

# Imported when they are asked for: who reads log files needs no rules.
_MODULES = {
    "AlertingRule": "rules",
    "DataSource": "datasource",
    "FieldType": "service",
    "LogField": "service",
    "Objectives": "service",
    "Origin": "origin",
    "RecordingRule": "rules",
    "Rule": "rules",
    "RuleFile": "rules",
    "RuleGroup": "rules",
    "Service": "service",
    "StreamLabel": "service",
    "load_rule_files": "rule_files",
    "parse_rule_files": "rule_files",
    "translate": "managed_translation",
}

__all__ = [
    "AlertingRule",
    "DataSource",
    "FieldType",
    "LogField",
    "Objectives",
    "Origin",
    "RecordingRule",
    "Rule",
    "RuleFile",
    "RuleGroup",
    "Service",
    "StreamLabel",
    "load_rule_files",
    "parse_rule_files",
    "translate",
]

__getattr__ = lazy_names(__name__, _MODULES)

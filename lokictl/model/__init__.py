"""Plain typed objects (services, rules, data sources) and their file formats."""

from lokictl.model.datasource import DataSource
from lokictl.model.rule_files import load_rule_files, parse_rule_files
from lokictl.model.rules import AlertingRule, Origin, RecordingRule, Rule, RuleFile, RuleGroup
from lokictl.model.service import FieldType, LogField, Objectives, Service, StreamLabel

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
]

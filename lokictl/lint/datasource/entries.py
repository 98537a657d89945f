"""What an entry says of itself: names, secrets, dollar signs, headers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

from lokictl.diagnostics import Severity
from lokictl.lazy import lazy_pattern
from lokictl.lint.datasource_json import (
    ENVIRONMENT,
    MARKED,
    WITH_DEFAULT,
    as_dict,
    is_reference,
    settings,
    texts,
)
from lokictl.lint.findings import Path
from lokictl.lint.interface import DataSourceCheck, DataSourceItem, Finding, Workspace, WorkspaceCheck

_UID = lazy_pattern(r"[A-Za-z0-9_-]{1,40}")


class DataSourceUid(DataSourceCheck):
    name = "datasource/uid"
    severity = Severity.INFO
    summary = "a data source without a uid, or with one that Grafana refuses"

    def check(self, datasource: DataSourceItem) -> Iterator[Finding]:
        uid = datasource.data.get("uid")
        if not uid:
            yield self.finding(
                datasource.place("uid", key=True),
                f'the data source "{datasource.name}" has no uid: Grafana makes one from its name, '
                "and dashboards lose it when the name changes",
                hint=f"set a short, stable one: uid: {uid_for(datasource)}",
            )
        elif not is_reference(str(uid)) and not _UID.fullmatch(str(uid)):
            yield self.finding(
                datasource.place("uid"),
                f'Grafana refuses the uid "{uid}"',
                hint="use letters, digits, - and _, at most 40 of them",
                severity=Severity.ERROR,
            )


def uid_for(datasource: DataSourceItem) -> str:
    """A uid that a data source without one could have: its name as Grafana allows it."""
    plain = re.sub(r"[^a-z0-9_-]+", "-", datasource.name.lower()).strip("-")[:40]
    return plain or str(datasource.data.get("type") or "loki")


class DuplicateDataSource(WorkspaceCheck):
    name = "datasource/duplicate"
    severity = Severity.ERROR
    summary = "two data sources of one name or uid, or two defaults: Grafana does not start"

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        seen: dict[tuple[str, object, str], DataSourceItem] = {}
        for item in workspace.datasources:
            # Grafana reads one folder; plain files of other folders are for another one.
            folder = str(PurePath(item.file).parent) if workspace.project is None else ""
            organisation = (folder, str(item.data.get("orgId", 1)))
            for key in ("name", "uid"):
                value = str(item.data.get(key) or "")
                first = seen.setdefault((key, organisation, value), item)
                if value and first is not item:
                    message = (
                        f'another data source also has the {key} "{value}" ({first.place(key).position})'
                    )
                    yield self._found(item, first, key, message, f"give each its own {key}")
            if item.data.get("isDefault") is True:
                first = seen.setdefault(("isDefault", organisation, ""), item)
                if first is not item:
                    message = f'"{first.name}" is already the default: with two, Grafana does not start'
                    yield self._found(item, first, "isDefault", message, "leave isDefault to one of them")

    def _found(
        self, item: DataSourceItem, first: DataSourceItem, key: str, message: str, hint: str
    ) -> Finding:
        # Two files of one folder, or two objects of one file, may be alternatives of which only one is mounted.
        certain = first.document is item.document or self.workspace.project is not None
        severity = None if certain else Severity.WARNING
        return self.finding(item.place(key), message, hint=hint, severity=severity, item=item.item)


NOT_SECRET = ("tlsCACert", "tlsClientCert", "serverName")
SECRET_KEYS = lazy_pattern(
    r"(?:basicAuth)?password|secret|token|api_?key|private_?key|tlsClientKey|httpHeaderValue\d+",
    re.IGNORECASE,
)


class PlainSecret(DataSourceCheck):
    name = "datasource/plain-secret"
    severity = Severity.WARNING
    summary = "a password or token in plain text"

    def check(self, datasource: DataSourceItem) -> Iterator[Finding]:
        for path, value in texts(datasource.data):
            if not value or is_reference(value):
                continue
            if self._is_secret(datasource, path):
                yield self._plain(datasource, path)
            elif path == ("url",) and (found := re.match(r"\w+://[^/@\s]+:([^/@\s]+)@", value)):
                yield self.finding(
                    datasource.text_place(path, found.start(1), found.end(1)),
                    f'the url of "{datasource.name}" contains a password',
                    hint="use basicAuth, basicAuthUser and secureJsonData.basicAuthPassword: $__env{LOKI_PASSWORD}",
                )

    def _is_secret(self, datasource: DataSourceItem, path: Path) -> bool:
        key = str(path[-1])
        header = _header_of(datasource, key)
        if header is not None:
            return CREDENTIAL.search(header) is not None
        if path[0] == "secureJsonData":
            return key not in NOT_SECRET
        return SECRET_KEYS.fullmatch(key) is not None

    def _plain(self, datasource: DataSourceItem, path: Path) -> Finding:
        variable = re.sub(r"\W", "_", f"{datasource.name}_{path[-1]}").upper()
        return self.finding(
            datasource.place(*path),
            f'{".".join(map(str, path))} of "{datasource.name}" is in the file in plain text',
            hint=f"let Grafana read it: secureJsonData.{path[-1]}: $__env{{{variable}}} or $__file{{/run/secrets/…}}",
        )


CREDENTIAL = lazy_pattern(r"auth|token|key|secret|password|cookie|session|credential", re.IGNORECASE)


def _header_of(datasource: DataSourceItem, key: str) -> str | None:
    """The name of the header whose value is at ``key``; "" for one without a name, None for no header's value."""
    if not key.startswith("httpHeaderValue"):
        return None
    return str(settings(datasource).get(f"httpHeaderName{key.removeprefix('httpHeaderValue')}") or "")


_DOLLAR = lazy_pattern(r"\$\$|\$\{[^}]*\}|\$\w+|\$[*#@!?-]|\$")


class UndoubledDollar(DataSourceCheck):
    name = "datasource/undoubled-dollar"
    severity = Severity.ERROR
    summary = "a $ that Grafana takes for an environment variable, and loses"

    def check(self, datasource: DataSourceItem) -> Iterator[Finding]:
        for path, text in texts(datasource.data) if datasource.is_provisioned else ():
            if "$" not in text:
                continue
            marked = [found.span() for found in MARKED.finditer(text)]
            for found in _DOLLAR.finditer(text):
                written = found[0]
                if written in ("$$", "$") or ENVIRONMENT.fullmatch(written):
                    continue
                if any(start <= found.start() < end for start, end in marked):
                    continue
                if WITH_DEFAULT.fullmatch(written):
                    name = re.split(r"[:?=+-]", written[2:])[0]
                    yield self.finding(
                        datasource.text_place(path, found.start(), found.end()),
                        f"Grafana does not support defaults: {written} is always empty",
                        hint=f"write ${{{name}}}, and give the default where Grafana is started",
                        severity=Severity.WARNING,
                    )
                    continue
                if not self._is_lost(path, written):
                    continue
                yield self.finding(
                    datasource.text_place(path, found.start(), found.end()),
                    f"Grafana reads {written} as an environment variable when it provisions, and leaves nothing",
                    hint=f"double the dollar sign: ${written}",
                )

    def _is_lost(self, path: Path, token: str) -> bool:
        """Whether a token is meant for Grafana or a regular expression, and not for the environment."""
        if token.startswith(("${__", "$__")) or token[1] in "0123456789*#@!?-":
            return True
        return bool(
            set(path) & {"derivedFields", "tracesToLogsV2", "tracesToMetrics", "correlations", "matcherRegex"}
        )


class Headers(DataSourceCheck):
    name = "datasource/headers"
    severity = Severity.WARNING
    summary = "a header without a value, or numbered with a gap: Grafana does not send it"

    def check(self, datasource: DataSourceItem) -> Iterator[Finding]:
        data, secure = settings(datasource), as_dict(datasource.data.get("secureJsonData"))
        numbers = sorted(
            int(found[1]) for key in data if (found := re.fullmatch(r"httpHeaderName(\d+)", str(key)))
        )
        for expected, number in enumerate(numbers, 1):
            path = ("jsonData", f"httpHeaderName{number}")
            header = data[f"httpHeaderName{number}"]
            if f"httpHeaderValue{number}" not in secure:
                yield self.finding(
                    datasource.place(*path),
                    f"the header {header} has no value",
                    hint=f"add secureJsonData.httpHeaderValue{number}",
                )
            if number != expected:
                yield self.finding(
                    datasource.place(*path, key=True),
                    f"headers are numbered from 1 without a gap; number {expected} is missing, and Grafana stops there",
                    hint=f"call it httpHeaderName{expected}",
                )
                return


class AlertmanagerImplementation(DataSourceCheck):
    name = "datasource/alertmanager-implementation"
    severity = Severity.WARNING
    summary = "an Alertmanager without its kind: Grafana asks it as if it were Mimir's"

    def check(self, datasource: DataSourceItem) -> Iterator[Finding]:
        if datasource.data.get("type") == "alertmanager" and not settings(datasource).get("implementation"):
            yield self.finding(
                datasource.place("jsonData"),
                f'"{datasource.name}" does not say what it is: Grafana tries the API of Mimir, '
                "which a plain Alertmanager answers with 404",
                hint="add jsonData.implementation: prometheus (or mimir, or cortex)",
            )

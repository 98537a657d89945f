"""Targets: the named servers that a project is uploaded to (``[tool.lokictl.targets.<name>]``)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import KW_ONLY, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lokictl.diagnostics import LokictlError, Position, Problem, suggestion
from lokictl.http import Access
from lokictl.model.uids import UID, slug
from lokictl.project.configuration import display_path as display_path
from lokictl.project.folders import ROOT_FOLDER, folder_parts, wrong_permissions
from lokictl.records import dataclass
from lokictl.secrets import Redactor, Secret, read_secret, without_password
from lokictl.sync.selection import Selection

if TYPE_CHECKING:
    from lokictl.project import Configuration

TARGET_KEYS = (
    *("grafana", "loki", "folder", "environment", "prune_limit", "schema", "alerting", "editable_alerts"),
    *("notifications", "policies", "secrets"),
)
HOMES = ("loki", "grafana")
SCHEMAS = ("v1", "v2")
POLICIES = ("tree", "branches")
SERVER_KEYS = ("url", "token", "bearer", "basic", "tls", "proxy", "headers")
GRAFANA_KEYS = (*SERVER_KEYS, "org", "take_default")
LOKI_KEYS = (*SERVER_KEYS, "tenants", "namespaces")
DEFAULT_PRUNE_LIMIT = 10

EXAMPLE = """\
[targets.staging.grafana]
url = "https://grafana.example.com"
token = { env = "GRAFANA_TOKEN" }

[targets.staging.loki]
url = "https://loki.example.com"
tenants = ["team-a"]
namespaces = ["team-a", "team-a-*"]"""


@dataclass(frozen=True, slots=True)
class GrafanaTarget:
    """A Grafana; ``take_default``: our default data source may take that role from somebody else's."""

    access: Access
    organisation: int = 0
    take_default: bool = False


@dataclass(frozen=True, slots=True)
class LokiTarget:
    """A Loki ruler.

    ``tenants`` maps each tenant ("" where Loki has no tenants) to the namespaces it gets, as names or prefixes
    (``team-*``); ``namespaces`` are those that this project owns, in the same form, None where not configured.
    """

    access: Access
    tenants: Mapping[str, tuple[str, ...]]
    namespaces: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A named pair of servers; ``project`` is the name that marks what is ours on them.

    ``folder_uid`` is "" for Grafana's root; with ``has_fixed_folder`` the configuration names it, otherwise it was
    made from the title. ``schema`` is that of uploaded dashboards: "v1" (classic) or "v2"; ``folder_permissions``
    are those of the folder, None where they are not kept here, ``folder_path`` the titles of the folders it is in;
    ``tables`` are the names before its tables in the configuration file. ``alerting`` says who evaluates the rules,
    "loki" or "grafana" ("": the project says); ``editable_alerts`` lets people change rules that Grafana manages in
    its pages. ``notifications``: contact points, mute timings and message templates are uploaded; ``policies``
    whether the whole tree of policies is the project's ("tree"), its routes only ("branches"), or nothing ("");
    ``secrets`` are those that contact points name. ``selection`` is what a run is for.
    """

    name: str
    project: str
    folder_uid: str
    folder_title: str
    grafana: GrafanaTarget | None = None
    _: KW_ONLY
    loki: LokiTarget | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    prune_limit: int = DEFAULT_PRUNE_LIMIT
    redactor: Redactor = field(default_factory=Redactor)
    has_fixed_folder: bool = False
    schema: str = "v1"
    folder_permissions: Mapping[str, str] | None = None
    folder_path: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    selection: Selection = Selection()
    alerting: str = ""
    editable_alerts: bool | None = None
    notifications: bool = False
    policies: str = ""
    secrets: Mapping[str, Secret] = field(default_factory=dict)

    @property
    def provenance(self) -> dict[str, str]:
        """Whether people may change alerts in Grafana's pages; empty: as each one is, and new ones are locked."""
        if self.editable_alerts is None:
            return {}
        return {"provenance": "" if self.editable_alerts else "api"}

    def section(self, *keys: str) -> str:
        """A table of the target as it is written in the project's own configuration file."""
        return f"[{'.'.join((*self.tables, 'targets', self.name, *keys))}]"

    @property
    def only(self) -> str:
        """The one server that a run is for: "grafana", "loki" or "" for both."""
        return self.selection.only


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a namespace is one of ``patterns``: names, or prefixes that end in ``*``."""
    return any(name.startswith(p[:-1]) if p.endswith("*") else name == p for p in patterns)


def example(configuration: Configuration) -> str:
    """A target as it is written in the project's own configuration file."""
    pyproject = is_pyproject(configuration)
    return EXAMPLE.replace("[targets.", "[tool.lokictl.targets.") if pyproject else EXAMPLE


def is_pyproject(configuration: Configuration) -> bool:
    """Whether the project is configured in its ``pyproject.toml``."""
    return configuration.file is not None and configuration.file.name == "pyproject.toml"


def target_names(configuration: Configuration) -> list[str]:
    """The names of all targets, in the order of the file."""
    return list(configuration.table("targets"))


def load_target(configuration: Configuration, name: str = "", *, needs_name: bool = False) -> Target:
    """The target called ``name``; without one, the only target, or the one that ``[sync] target`` names.

    ``needs_name``: the project must have a name, because it is written on the servers.  Reads the secrets.  Raises
    `LokictlError` with every problem found.
    """
    return _Reader(configuration, _chosen(configuration, name)).target(needs_name)


def _chosen(configuration: Configuration, name: str) -> str:
    known = target_names(configuration)
    if not known:
        position = Position(display_path(configuration.file)) if configuration.file else Position()
        raise LokictlError(
            Problem(
                "sync/target",
                "no target is configured",
                position=position,
                hint=f"for example\n\n{example(configuration)}\n",
            )
        )
    name = name or str(configuration.table("sync").get("target", "")) or (known[0] if len(known) == 1 else "")
    if not name:
        raise LokictlError(
            Problem("sync/target", "several targets", hint=f"choose one with --target: {', '.join(known)}")
        )
    if name not in known:
        hint = suggestion(name, known, f"known targets: {', '.join(known)}")
        raise LokictlError(Problem("sync/target", f'unknown target "{name}"', hint=hint))
    return name


class _Reader:
    """Reads one target, gathering problems on the way."""

    def __init__(self, configuration: Configuration, name: str) -> None:
        self.configuration, self.name = configuration, name
        self.root: Path = configuration.root
        self.problems: list[Problem] = []
        self.redactor = Redactor()

    def target(self, needs_name: bool) -> Target:
        table = self.configuration.table("targets")[self.name]
        if not isinstance(table, dict):
            raise LokictlError(Problem("sync/target", f'the target "{self.name}" must be a table'))
        self._unknown(table, TARGET_KEYS, ())
        project = str(self.configuration["name"])
        if not project and needs_name:
            position = (
                Position(display_path(self.configuration.file)) if self.configuration.file else Position()
            )
            message = "a project that is synced needs a name: it marks what belongs to it on the servers"
            hint = f'add name = "{slug(self.root.name)}" to the configuration'
            self.problems.append(Problem("sync/target", message, position=position, hint=hint))
        project = project or self.root.name
        folder_uid, folder_title, folder_path = self._folder(table.get("folder"), project)
        target = Target(
            self.name,
            project,
            folder_uid,
            folder_title,
            self._grafana(table["grafana"]) if "grafana" in table else None,
            loki=self._loki(table["loki"]) if "loki" in table else None,
            environment={
                key: self._text(value, "environment", key)
                for key, value in table.get("environment", {}).items()
            },
            prune_limit=int(table.get("prune_limit", DEFAULT_PRUNE_LIMIT)),
            redactor=self.redactor,
            has_fixed_folder=folder_uid == ""
            or (isinstance(table.get("folder"), dict) and "uid" in table["folder"]),
            schema=self._schema(table.get("schema", "v1")),
            folder_permissions=self._permissions(table.get("folder")),
            folder_path=folder_path,
            tables=("tool", "lokictl") if is_pyproject(self.configuration) else (),
            alerting=self._home(table.get("alerting", "")),
            editable_alerts=bool(table["editable_alerts"]) if "editable_alerts" in table else None,
            notifications=bool(table.get("notifications", False)),
            policies=self._policies(table),
            secrets=self._secrets(table.get("secrets", {})),
        )
        if target.grafana is None and target.loki is None:
            self._problem('a target needs "grafana" or "loki" (or both)', ())
        if self.problems:
            raise LokictlError(self.problems)
        return target

    def _permissions(self, folder: Any) -> Mapping[str, str] | None:
        found = folder.get("permissions") if isinstance(folder, dict) else None
        if found is None:
            return None
        for problem in wrong_permissions(found):
            self._problem(problem, ("folder",))
        return dict(found) if isinstance(found, dict) else None

    def _home(self, value: Any) -> str:
        if value and value not in HOMES:
            self._problem('"alerting" must be "loki" or "grafana"', ("alerting",))
        return str(value)

    def _policies(self, table: Mapping[str, Any]) -> str:
        value = table.get("policies", "")
        if value and value not in POLICIES:
            message = '"policies" must be "tree" (all of them are this project\'s) or "branches" (only its own routes)'
            self._problem(message, ("policies",))
            return ""
        if value and not table.get("notifications"):
            self._problem('"policies" needs notifications = true: they lead to contact points', ("policies",))
        return str(value)

    def _secrets(self, table: Any) -> Mapping[str, Secret]:
        if not isinstance(table, dict):
            self._problem(
                '"secrets" must be a table such as { slack_url = { env = "SLACK_URL" } }', ("secrets",)
            )
            return {}
        found: dict[str, Secret] = {}
        for name, reference in table.items():
            is_variable = isinstance(reference, dict) and list(reference) == ["env"]
            if is_variable and str(reference["env"]) not in os.environ:
                continue  # Grafana keeps the one that it has; the plan says so.
            secret = self._secret(reference, "secrets", str(name))
            if secret is not None:
                found[str(name)] = secret
        return found

    def _schema(self, value: Any) -> str:
        if value not in SCHEMAS:
            self._problem('"schema" must be "v1" or "v2"', ("schema",))
            return "v1"
        return str(value)

    def _folder(self, value: Any, project: str) -> tuple[str, str, tuple[str, ...]]:
        """(uid, title, titles of the folders it is in)."""
        if value is None:
            return slug(project), project, ()
        if isinstance(value, str) and (value.casefold() == ROOT_FOLDER or folder_parts(value)):
            *above, title = folder_parts(value) or ("",)
            uid = ""
            for part in folder_parts(value):
                uid = slug(f"{uid}/{part}" if uid else part)
            return uid, title or value, tuple(above)
        if (
            isinstance(value, dict)
            and value.get("title")
            and not set(value) - {"title", "uid", "permissions"}
        ):
            title = str(value["title"])
            uid = str(value.get("uid") or slug(title))
            if not UID.match(uid) or uid in ("general", "sharedwithme"):
                self._problem(f'"{uid}" cannot be the uid of a folder', ("folder",))
            return uid, title, ()
        self._problem('"folder" must be a title, or { uid = "…", title = "…" }', ("folder",))
        return slug(project), project, ()

    def _grafana(self, table: Any) -> GrafanaTarget | None:
        if not self._is_table(table, "grafana", GRAFANA_KEYS):
            return None
        organisation = table.get("org", 0)
        if not isinstance(organisation, int):
            self._problem('"org" must be the number of an organization', ("grafana", "org"))
            organisation = 0
        return GrafanaTarget(
            self._access(table, "grafana"), organisation, bool(table.get("take_default", False))
        )

    def _loki(self, table: Any) -> LokiTarget | None:
        if not self._is_table(table, "loki", LOKI_KEYS):
            return None
        namespaces = table.get("namespaces")
        if namespaces is not None:
            namespaces = self._patterns(namespaces, "namespaces")
        return LokiTarget(self._access(table, "loki"), self._tenants(table.get("tenants")), namespaces)

    def _tenants(self, value: Any) -> dict[str, tuple[str, ...]]:
        if value is None:
            return {"": ("*",)}
        if isinstance(value, dict):
            tenants = {str(tenant): self._patterns(names, "tenants") for tenant, names in value.items()}
        else:
            tenants = dict.fromkeys(self._patterns(value, "tenants"), ("*",))
        for tenant in tenants:
            if "|" in tenant:
                message = f'"{tenant}" names several tenants; the ruler accepts one at a time'
                self._problem(message, ("loki", "tenants"))
        return tenants

    def _patterns(self, value: Any, key: str) -> tuple[str, ...]:
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            self._problem(f'"{key}" must be a list of names', ("loki", key))
            return ()
        return tuple(value)

    def _access(self, table: Mapping[str, Any], server: str) -> Access:
        url = str(table.get("url", "")).rstrip("/")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            self._problem(
                f'"url" must be an http or https URL, not "{without_password(url)}"', (server, "url")
            )
        elif parts.username or parts.password:
            self._problem('"url" must not contain credentials; use "basic"', (server, "url"))
        basic = table.get("basic", {})
        tokens = [key for key in ("token", "bearer") if key in table]
        if len(tokens) + bool(basic) > 1:
            self._problem("set exactly one of token, bearer, basic", (server,))
        if not isinstance(basic, dict) or (basic and set(basic) != {"user", "password"}):
            self._problem('"basic" must be { user = "…", password = { env = "…" } }', (server, "basic"))
            basic = {}
        tls = table.get("tls", {})
        if not isinstance(tls, dict) or set(tls) - {"ca", "cert", "key", "insecure"}:
            self._problem('"tls" may have the keys ca, cert, key and insecure', (server, "tls"))
            tls = {}
        headers = {
            key: self._value(value, server, "headers") for key, value in table.get("headers", {}).items()
        }
        return Access(
            url,
            token=self._secret(table[tokens[0]], server, tokens[0]) if tokens else None,
            user=self._text(basic["user"], server, "basic") if basic else "",
            password=self._secret(basic["password"], server, "basic.password") if basic else None,
            ca_file=self._file(tls.get("ca", ""), server),
            certificate=self._file(tls.get("cert", ""), server),
            key=self._file(tls.get("key", ""), server),
            insecure=bool(tls.get("insecure", False)),
            proxy=self._proxy(table.get("proxy", ""), server),
            headers=headers,
        )

    def _proxy(self, value: Any, server: str) -> str | Secret:
        if isinstance(value, str) and "@" in value:
            message = "a proxy with credentials must be a reference to a secret"
            self._problem(message, (server, "proxy"))
            return ""
        return self._value(value, server, "proxy") if value else ""

    def _file(self, value: Any, server: str) -> str:
        if not value:
            return ""
        path = Path(str(value)).expanduser()
        path = path if path.is_absolute() else self.root / path
        if not path.exists():
            self._problem(f"there is no file {value}", (server, "tls"))
        return str(path)

    def _secret(self, value: Any, *where: str) -> Secret | None:
        name = ".".join(("targets", self.name, *where))
        try:
            position, several = self._position(where), where[0] == "secrets"
            secret = read_secret(value, where=name, position=position, root=self.root, several_lines=several)
        except LokictlError as error:
            self.problems.extend(error.problems)
            return None
        return self.redactor.add(secret, credential=where[0] not in ("environment", "secrets"))

    def _value(self, value: Any, *where: str) -> str | Secret:
        if isinstance(value, dict):
            return self._secret(value, *where) or ""
        return str(value)

    def _text(self, value: Any, *where: str) -> str:
        found = self._value(value, *where)
        return found.reveal() if isinstance(found, Secret) else found

    def _is_table(self, table: Any, key: str, known: tuple[str, ...]) -> bool:
        if not isinstance(table, dict):
            self._problem(f'"{key}" must be a table', (key,))
            return False
        self._unknown(table, known, (key,))
        return True

    def _unknown(self, table: Mapping[str, Any], known: tuple[str, ...], where: tuple[str, ...]) -> None:
        for key in table:
            if key not in known:
                hint = suggestion(key, known, f"known keys: {', '.join(known)}")
                self._problem(f'unknown key "{key}"', (*where, key), hint)

    def _position(self, where: tuple[str, ...]) -> Position:
        return self.configuration.position("targets", self.name, *where)

    def _problem(self, message: str, where: tuple[str, ...], hint: str = "") -> None:
        text = (
            f"target {self.name}: {'.'.join(where)}: {message}" if where else f"target {self.name}: {message}"
        )
        self.problems.append(Problem("sync/target", text, position=self._position(where), hint=hint))

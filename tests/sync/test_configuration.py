"""Targets: what they may say, and that secrets are never written in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lokictl.diagnostics import LokictlError
from lokictl.model.uids import slug
from lokictl.project import Configuration, find_configuration
from lokictl.secrets import Redactor, Secret, fingerprint, matches_fingerprint
from lokictl.sync.configuration import Target, load_target, matches

GRAFANA = {"grafana": {"url": "https://g.example.com/sub/"}}


def load(target: dict[str, Any], root: Path = Path()) -> Target:
    return load_target(Configuration(root, None, {"name": "shop", "targets": {"t": target}}))


def test_everything_that_a_target_may_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFANA_TOKEN", "token-1234")
    (tmp_path / "password").write_text("password-1234\n")
    (tmp_path / "ca.pem").write_text("")
    (tmp_path / "lokictl.toml").write_text(
        """
name = "shop"
[targets.staging]
folder = { uid = "f", title = "Folder" }
prune_limit = 3
environment = { LOKI_URL = "http://loki", LOKI_PASSWORD = { command = "echo secret-of-loki" } }
[targets.staging.grafana]
url = "https://g.example.com/sub/"
token = { env = "GRAFANA_TOKEN" }
org = 2
take_default = true
tls = { ca = "ca.pem" }
proxy = "http://proxy:3128"
headers = { X-Team = "a" }
[targets.staging.loki]
url = "http://loki:3100"
basic = { user = "me", password = { file = "password" } }
tenants = { a = ["x", "y-*"], b = "*" }
namespaces = ["x", "y-*"]
"""
    )
    target = load_target(find_configuration(tmp_path))
    assert target.grafana is not None
    assert target.loki is not None
    access = target.grafana.access
    assert (access.url, access.ca_file, access.proxy) == (
        "https://g.example.com/sub",
        str(tmp_path / "ca.pem"),
        "http://proxy:3128",
    )
    assert access.token is not None
    assert (access.token.reveal(), str(access.token)) == ("token-1234", "***")
    assert (target.grafana.organisation, target.grafana.take_default) == (2, True)
    assert target.loki.access.password is not None
    assert target.loki.access.password.reveal() == "password-1234"
    assert target.loki.tenants == {"a": ("x", "y-*"), "b": ("*",)}
    assert target.environment == {"LOKI_URL": "http://loki", "LOKI_PASSWORD": "secret-of-loki"}
    assert (target.folder_uid, target.folder_title, target.prune_limit) == ("f", "Folder", 3)
    for secret in ("token-1234", "password-1234", "secret-of-loki"):
        assert secret not in repr(target.grafana) + repr(target.loki)
        assert target.redactor.text(f"x {secret} y") == "x *** y"


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, 'needs "grafana" or "loki"'),
    "key": ({**GRAFANA, "folders": 1}, 'unknown key "folders"'),
    "near": ({"grafana": {"url": "http://x", "tokn": 1}}, 'unknown key "tokn"'),
    "url": ({"grafana": {"url": "g.example.com"}}, '"url" must be an http or https URL'),
    "password in url": ({"grafana": {"url": "http://a:b@x"}}, "must not contain credentials"),
    "token as text": (
        {"grafana": {"url": "http://x", "token": "glsa_1"}},
        "must not be written in the configuration",
    ),
    "two ways": (
        {"grafana": {"url": "http://x", "token": {"env": "HOME"}, "bearer": {"env": "HOME"}}},
        "exactly one of token, bearer, basic",
    ),
    "unset": ({"grafana": {"url": "http://x", "token": {"env": "LOKICTL_NOT_SET"}}}, "is not set"),
    "no file": ({"grafana": {"url": "http://x", "token": {"file": "/nope"}}}, "cannot read /nope"),
    "no command": ({"grafana": {"url": "http://x", "token": {"command": "false"}}}, "ended with status 1"),
    "proxy": (
        {"grafana": {"url": "http://x", "proxy": "http://u:p@proxy"}},
        "must be a reference to a secret",
    ),
    "ca": ({"grafana": {"url": "http://x", "tls": {"ca": "nope.pem"}}}, "there is no file nope.pem"),
    "tenants": ({"loki": {"url": "http://x", "tenants": ["a|b"]}}, "names several tenants"),
    "folder": ({**GRAFANA, "folder": {"title": "A", "uid": "general"}}, "cannot be the uid of a folder"),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_are_reported(name: str) -> None:
    target, words = WRONG[name]
    with pytest.raises(LokictlError) as caught:
        load(target)
    assert words in str(caught.value)
    assert "glsa_1" not in str(caught.value)


def test_which_target() -> None:
    configuration = Configuration(Path(), None, {"targets": {"staging": GRAFANA, "live": GRAFANA}})
    assert load_target(configuration, "live").name == "live"
    with pytest.raises(LokictlError, match="several targets"):
        load_target(configuration)
    with pytest.raises(LokictlError, match='unknown target "stagin"'):
        load_target(configuration, "stagin")
    with pytest.raises(LokictlError, match="no target is configured"):
        load_target(Configuration(Path(), None, {}))


@pytest.mark.parametrize(
    "text, uid",
    [
        ("shop", "shop"),
        ("My Shop", "my-shop-d7d27e"),
        ("a/b", "a-b-c14cdd"),
        ("x" * 50, "x" * 33 + "-6de9e7"),
    ],
)
def test_slugs(text: str, uid: str) -> None:
    found = slug(text)
    assert len(found) <= 40
    assert found.rpartition("-")[0] == uid.rpartition("-")[0]
    assert slug(text) == found != slug(text + " ")


@pytest.mark.parametrize(
    "name, patterns, found",
    [
        ("a", ("a",), True),
        ("ab", ("a",), False),
        ("ab", ("a*",), True),
        ("x", ("*",), True),
        ("a", (), False),
    ],
)
def test_namespaces(name: str, patterns: tuple[str, ...], found: bool) -> None:
    assert matches(name, patterns) is found


MASKED = {
    "a word alone in what a server says": ("admin", True, "user admin: no", "user ***: no", "user admin: no"),
    "part of a name": ("neurectomy", False, "neurectomy-agents", "neurectomy-agents", "neurectomy-agents"),
    "a tenant in content": ("neurectomy", False, "of neurectomy", "of ***", "of neurectomy"),
    "a long name in content": ("production-eu-west-1", False, "of production-eu-west-1", "of ***", None),
    "a token": ("glsa_abcdefghijkl", True, "x glsa_abcdefghijkl y", "x *** y", "x *** y"),
    "a password of a data source": ("pass$word-of-loki-1", False, "<pass$word-of-loki-1>", "<***>", "<***>"),
    "in a URL": (
        "a b/c&d-long-enough",
        True,
        "http://me:a%20b%2Fc%26d-long-enough@x",
        "http://me:***@x",
        None,
    ),
}


@pytest.mark.parametrize("name", MASKED)
def test_what_is_masked(name: str) -> None:
    """In errors of servers every secret, in content only what cannot be an ordinary word."""
    value, credential, text, error, content = MASKED[name]
    redactor = Redactor()
    redactor.add(Secret("env:X", value), credential=credential)
    assert redactor.text(text) == error
    if content is not None:
        assert redactor.content(text) == content


def test_a_fingerprint_shows_a_change_and_nothing_else() -> None:
    values = {"password": Secret("x", "abc")}
    mark = fingerprint(values)
    assert matches_fingerprint(values, mark)
    assert not matches_fingerprint({"password": Secret("x", "abd")}, mark)
    assert "abc" not in mark

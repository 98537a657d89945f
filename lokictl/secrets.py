"""Secrets: where they come from, and how they stay out of everything that is printed or written.

A secret is never written in the configuration: it is a reference, ``{ env = "NAME" }``, ``{ file = "path" }`` or
``{ command = "pass show grafana" }``, that is read when a connection needs it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import secrets as random_bytes
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.lazy import lazy_pattern
from lokictl.records import dataclass

MASK = "***"
# Shorter secrets are not masked: it would make output unreadable and protect nothing.
SHORTEST_MASKED = 4
# In what a project or a server says itself, a short secret is more likely an ordinary word.
SHORTEST_CREDENTIAL_IN_CONTENT = 12
SHORTEST_SECRET_IN_CONTENT = 16
# A secret of this length is masked wherever it occurs; a shorter one only where it stands alone.
CERTAINLY_A_SECRET = 24
NAME = lazy_pattern(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*\Z")
REFERENCE_KINDS = ("env", "file", "command")
COMMAND_SECONDS = 60
NOWHERE = Position()


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that must not be seen.  ``name`` says where it came from (``env:GRAFANA_TOKEN``)."""

    name: str
    _value: str = field(repr=False)

    def reveal(self) -> str:
        """The value itself; only for the call that sends it."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.name}: {MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, specification: str) -> str:
        return MASK

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a secret cannot be written to a file")


@dataclass(slots=True)
class Redactor:
    """Knows all secrets of a run and takes them out of strings.

    ``credentials`` open connections; ``known`` are all secrets, those of data sources included, which may well be
    ordinary words (the name of a tenant).
    """

    known: dict[str, Secret] = field(default_factory=dict)
    credentials: set[str] = field(default_factory=set)

    def add(self, secret: Secret, *, credential: bool = True) -> Secret:
        """Remembers ``secret`` and gives it back."""
        if secret.reveal():
            self.known[secret.name] = secret
            if credential:
                self.credentials.add(secret.name)
        return secret

    def text(self, text: str) -> str:
        """``text`` of a server or a library with every known secret masked, also as URLs and JSON write it."""
        return self._masked(text, [value for value in self._values() if len(value) >= SHORTEST_MASKED])

    def content(self, text: str) -> str:
        """A title, a query or any other content with what can only be a secret masked.

        An ordinary word stays, although it may be the password of somebody, or the secret of a data source.
        """
        return self._masked(text, self._certain())

    def content_data(self, value: Any) -> Any:
        """As `content`, for every string inside a JSON value."""
        return _mapped(value, self.content)

    def data(self, value: Any) -> Any:
        """As `text`, for every string inside a JSON value."""
        return _mapped(value, self.text)

    def _certain(self) -> list[str]:
        found = []
        for name, secret in self.known.items():
            value = secret.reveal()
            if name in self.credentials:
                certain = len(value) >= SHORTEST_CREDENTIAL_IN_CONTENT
            else:
                certain = len(value) >= SHORTEST_SECRET_IN_CONTENT and not NAME.match(value)
            if certain:
                found.append(value)
        return found

    def _values(self) -> list[str]:
        return [secret.reveal() for secret in self.known.values()]

    def _masked(self, text: str, values: Iterable[str]) -> str:
        for value in sorted(set(values), key=len, reverse=True):
            for form in _forms(value):
                if form in text:
                    text = _without(text, form)
        return text


def _without(text: str, form: str) -> str:
    if len(form) >= CERTAINLY_A_SECRET:
        return text.replace(form, MASK)
    alone = rf"(?:(?<![\w-])|(?<=%[0-9A-Fa-f]{{2}})){re.escape(form)}(?![\w-])"
    return re.sub(alone, MASK, text)


def _forms(value: str) -> Iterable[str]:
    encoded = base64.b64encode(value.encode()).decode()
    return dict.fromkeys((value, json.dumps(value)[1:-1], quote(value, safe=""), quote_plus(value), encoded))


def _mapped(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {_mapped(key, change): _mapped(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(item, change) for item in value]
    return value


def read_secret(
    reference: Any,
    *,
    where: str,
    position: Position = NOWHERE,
    root: Path | None = None,
    several_lines: bool = False,
) -> Secret:
    """The secret that a reference names; ``where`` is the configuration key, for messages.

    ``several_lines``: it may be a certificate.
    Raises `LokictlError` when it is not a reference (a secret written out), or when it cannot be read.
    """
    kind, name = _reference(reference, where, position)
    if kind == "env":
        value = os.environ.get(name)
        if value is None:
            raise _problem(f'{where}: the environment variable "{name}" is not set', position)
    elif kind == "file":
        value = _from_file(Path(name).expanduser(), root, where, position)
    else:
        value = _from_command(name, root, where, position)
    value = value.rstrip("\r\n")
    if not value:
        raise _problem(f"{where}: the secret ({kind}: {name}) is empty", position)
    if not several_lines and ("\n" in value or "\r" in value):
        raise _problem(f"{where}: the secret ({kind}: {name}) has more than one line", position)
    return Secret(f"{kind}:{name}", value)


def _reference(reference: Any, where: str, position: Position) -> tuple[str, str]:
    hint = 'write { env = "NAME" }, { file = "path" } or { command = "…" }'
    if isinstance(reference, str):
        raise _problem(f"{where}: a secret must not be written in the configuration", position, hint)
    if not isinstance(reference, dict) or len(reference) != 1:
        raise _problem(f"{where}: not a reference to a secret", position, hint)
    kind, name = next(iter(reference.items()))
    if kind not in REFERENCE_KINDS or not isinstance(name, str) or not name:
        raise _problem(f"{where}: not a reference to a secret", position, hint)
    return kind, name


def _from_file(path: Path, root: Path | None, where: str, position: Position) -> str:
    full = path if path.is_absolute() or root is None else root / path
    try:
        return full.read_text(encoding="utf-8")
    except OSError as error:
        raise _problem(f"{where}: cannot read {path}: {error.strerror or error}", position) from None
    except UnicodeDecodeError:
        raise _problem(f"{where}: {path} is not text", position) from None


def _from_command(command: str, root: Path | None, where: str, position: Position) -> str:
    words = shlex.split(command)
    try:
        done = subprocess.run(
            words,
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except (OSError, IndexError) as error:
        raise _problem(
            f"{where}: the command `{words[0] if words else ''}` cannot be run: {error}", position
        ) from None
    except subprocess.TimeoutExpired:
        message = f"{where}: the command `{words[0]}` did not finish within {COMMAND_SECONDS} s"
        raise _problem(message, position) from None
    if done.returncode != 0:
        raise _problem(f"{where}: the command `{words[0]}` ended with status {done.returncode}", position)
    return done.stdout.decode("utf-8", "replace")


def _problem(message: str, position: Position, hint: str = "") -> LokictlError:
    return LokictlError(Problem("sync/secret", message, position=position, hint=hint))


FINGERPRINT_BYTES = 3


def fingerprint(values: Mapping[str, Secret], salt: str = "") -> str:
    """A short mark that changes when a secret changes: ``salt:mark``.

    24 bits of a slow, salted hash: enough to see a change, too little to confirm a guess.
    """
    salt = salt or random_bytes.token_hex(8)
    text = json.dumps({name: secret.reveal() for name, secret in sorted(values.items())})
    digest = hashlib.pbkdf2_hmac("sha256", text.encode(), salt.encode(), 20_000)
    return f"{salt}:{digest[:FINGERPRINT_BYTES].hex()}"


def matches_fingerprint(values: Mapping[str, Secret], mark: str) -> bool:
    """Whether ``mark`` is the fingerprint of these secrets."""
    salt = mark.partition(":")[0]
    return bool(salt) and hmac.compare_digest(fingerprint(values, salt), mark)


def without_password(url: str) -> str:
    """``url`` as it may be shown: without the name and the password before its host."""
    return re.sub(r"//[^/@]*@", "//***@", url)

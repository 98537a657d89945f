"""Replaces what looks personal in log lines: the same value by the same replacement, wherever it stands.

Personal data is recognized by its form (addresses, e-mails, tokens, ids) or by the name of its field (``user``,
``password``, …).  This is care, not a proof: look at the lines before they are published.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field

from lokictl.lazy import lazy_pattern
from lokictl.records import dataclass

_HEX = "0123456789abcdef"
NAMES = (
    "user",
    "user_name",
    "username",
    "userid",
    "user_id",
    "uid",
    "login",
    "actor",
    "owner",
    "customer",
    "customer_id",
    "account",
    "account_id",
    "email",
    "mail",
    "first_name",
    "last_name",
    "full_name",
    "phone",
    "address",
    "session",
    "session_id",
    "token",
    "access_token",
    "refresh_token",
    "api_key",
    "apikey",
    "secret",
    "password",
    "passwd",
    "authorization",
    "cookie",
    "client_ip",
    "remote_addr",
)
"""Fields whose values are personal or secret, whatever they look like; upper and lower case and ``-`` are alike."""

_FIELD = "|".join(name.replace("_", "[_-]?") for name in NAMES)

KINDS: dict[str, str] = {
    "url credentials": r"(?<=://)[^\s/:@\"]+:[^\s/@\"]+(?=@)",
    "e-mail": r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
    "uuid": r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b",
    "token": r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)?"
    r"|\b(?:ghp|gho|ghs|glpat|glsa|sk|pk|xox[abp])[-_][A-Za-z0-9_-]{10,}"
    r"|(?<=Bearer )[A-Za-z0-9._~+/-]{8,}=*|(?<=Basic )[A-Za-z0-9+/]{8,}=*|\bAKIA[0-9A-Z]{16}\b",
    "hexadecimal id": r"\b(?=[0-9a-fA-F]*[0-9])(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{12,}\b",
    "ipv4": r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.]*\d)",
    "ipv6": r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}(?![\w:])"
    r"|(?<![\w:.])(?=[0-9A-Fa-f:]*[0-9])(?=[0-9A-Fa-f:]*[0-9A-Fa-f]{3})"
    r"(?:[0-9A-Fa-f]{1,4}:){1,6}:(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,5})?(?![\w:])",
    "phone": r"(?<![\w.+-])\+\d[\d ()-]{7,16}\d\b",
    "long number": r"(?<![\w.-])\d{11,19}(?![\w.-])",
}
"""Forms, in the order in which they are looked for."""

_JSON_FIELD = lazy_pattern(rf'("(?:{_FIELD})"\s*:\s*")((?:[^"\\]|\\.)+)(")', re.IGNORECASE)
_JSON_NUMBER = lazy_pattern(rf'("(?:{_FIELD})"\s*:\s*)(\d+)(?=\s*[,}}])', re.IGNORECASE)
_LOGFMT_FIELD = lazy_pattern(rf'((?:^|\s)(?:{_FIELD})=)("(?:[^"\\]|\\.)+"|[^\s"]+)', re.IGNORECASE)


@dataclass
class Anonymizer:
    """Remembers replacements.  ``without`` are kinds of `KINDS` (or "field") that are left alone."""

    without: frozenset[str] = frozenset()
    known: dict[tuple[str, str], str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def line(self, text: str) -> str:
        """A log line without what looks personal."""
        if "field" not in self.without:
            text = _JSON_FIELD.sub(lambda m: m[1] + self._field(m[2]) + m[3], text)
            text = _JSON_NUMBER.sub(lambda m: m[1] + self._digits(m[2]), text)
            text = _LOGFMT_FIELD.sub(lambda m: m[1] + self._quoted(m[2]), text)
        return self.value(text)

    def value(self, text: str) -> str:
        """A string (the value of a label) without what has a personal form."""
        for kind, pattern in _PATTERNS.items():
            if kind not in self.without:
                text = pattern.sub(lambda found, kind=kind: self._replaced(kind, found[0]), text)  # type: ignore[misc]
        return text

    def labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Labels with their values replaced."""
        return {name: self.value(text) for name, text in labels.items()}

    @property
    def replaced(self) -> int:
        """How many different values were replaced."""
        return len(self.known)

    def _field(self, text: str) -> str:
        # What has a form of its own keeps it: an address stays an address.
        if any(pattern.fullmatch(text) for pattern in _PATTERNS.values()):
            return text
        return self._named("field", text, lambda number: f"user-{number}")

    def _quoted(self, text: str) -> str:
        return f'"{self._field(text[1:-1])}"' if text.startswith('"') else self._field(text)

    def _digits(self, text: str) -> str:
        return self._named(
            "number", text, lambda number: str(number).rjust(len(text), "1")[: max(len(text), 1)]
        )

    def _replaced(self, kind: str, text: str) -> str:
        if kind == "long number" and _is_time(text):
            return text
        return self._named(kind, text, lambda number: _REPLACEMENTS[kind](number, text))

    def _named(self, kind: str, text: str, make: Callable[[int], str]) -> str:
        key = (kind, text)
        if key not in self.known:
            if text in self.known.values():
                return text
            self.counts[kind] = self.counts.get(kind, 0) + 1
            self.known[key] = make(self.counts[kind])
        return self.known[key]


def _is_time(text: str) -> bool:
    """Whether a number can be a Unix time (s to ns) of this century."""
    return len(text) in (13, 16, 19) and 946_684_800 <= int(text[:10]) < 4_102_444_800


def _hexadecimal(number: int, text: str) -> str:
    """Digits of the same length that begin with a letter, so that they stay an id and no number."""
    return "a" + f"{number:x}".rjust(len(text) - 1, "0")[-(len(text) - 1) :]


_PATTERNS = {kind: re.compile(pattern) for kind, pattern in KINDS.items()}
_REPLACEMENTS: dict[str, Callable[[int, str], str]] = {
    "url credentials": lambda number, text: f"user{number}:password",
    "e-mail": lambda number, text: f"user{number}@example.com",
    "uuid": lambda number, text: f"00000000-0000-4000-8000-{number:012x}",
    "token": lambda number, text: f"token-{number}",
    "hexadecimal id": _hexadecimal,
    # Addresses that documentation may use (RFC 5737, RFC 3849), and the one for benchmarks where they run out.
    "ipv4": lambda number, text: (
        f"192.0.2.{number}" if number < 255 else f"198.18.{number // 250}.{number % 250 + 1}"
    ),
    "ipv6": lambda number, text: f"2001:db8::{number:x}",
    "phone": lambda number, text: f"+1-555-01{number % 100:02d}",
    "long number": lambda number, text: "9" + str(number).rjust(len(text) - 1, "0"),
}

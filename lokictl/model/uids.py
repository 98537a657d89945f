"""Uids that Grafana takes: 1 to 40 letters, digits, hyphens and underscores."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lokictl.lazy import lazy, lazy_pattern

if TYPE_CHECKING:
    import hashlib
else:
    # Few strings collide, and it loads OpenSSL.
    hashlib = lazy("hashlib")

UID_LENGTH = 40
UID = lazy_pattern(rf"[A-Za-z0-9_-]{{1,{UID_LENGTH}}}\Z")


def slug(text: str, length: int = UID_LENGTH) -> str:
    """A uid that Grafana accepts, made from any string; strings that would collide get a checksum."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-").lower()
    if plain == text.lower() and 0 < len(plain) <= length:
        return plain
    digest = hashlib.sha256(text.encode()).hexdigest()[:6]
    return f"{plain[: length - 7]}-{digest}".strip("-")

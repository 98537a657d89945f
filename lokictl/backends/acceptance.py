"""What no Loki takes, refused by every backend in the same words: a test that passes here must pass there."""

from __future__ import annotations

from lokictl.backends.interface import BackendError, LogStream
from lokictl.backends.repetition import metadata_of
from lokictl.lazy import lazy_pattern

LABEL_NAME = lazy_pattern(r"[a-zA-Z_][a-zA-Z0-9_]*")
_LETTER_OR_DIGIT = lazy_pattern(r"[a-zA-Z0-9]")


def check_stream(stream: LogStream) -> None:
    """Raises `BackendError` for labels and structured metadata that Loki refuses."""
    for name in stream.labels:
        if not LABEL_NAME.fullmatch(name):
            raise BackendError(
                f'Loki refuses the stream label "{name}"',
                hint="a label name has ASCII letters, digits and `_`, and does not start with a digit",
            )
    if not any(value != "" for value in stream.labels.values()):
        raise BackendError("Loki refuses a stream without labels", hint='give it one: labels: {app: "web"}')
    known: set[str] = set()
    for metadata in metadata_of(stream.entries):
        for name in metadata:
            if name not in known and not _LETTER_OR_DIGIT.search(name):
                raise BackendError(
                    f'Loki refuses the structured metadata "{name}"',
                    hint="its name needs an ASCII letter or a digit; Loki writes `_` for every other character",
                )
            known.add(name)

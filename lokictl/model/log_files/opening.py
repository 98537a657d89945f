"""Opens a log file as lines: plain or compressed (by its first bytes, not by its name), UTF-8 or UTF-16."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.lazy import lazy

if TYPE_CHECKING:
    import bz2
    import gzip
    import lzma
    import shutil
    import tempfile
else:
    # Most files are plain text.
    bz2, gzip, lzma = lazy("bz2"), lazy("gzip"), lazy("lzma")
    shutil, tempfile = lazy("shutil"), lazy("tempfile")

BLOCK_BYTES = 1 << 20
HEAD_BYTES = 512


def _open_zstd(file: IO[bytes]) -> IO[bytes]:
    import zstandard  # noqa: PLC0415 - optional, and only compressed files need it

    return cast("IO[bytes]", zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True))


COMPRESSIONS: dict[bytes, Callable[[IO[bytes]], IO[bytes]]] = {
    b"\x1f\x8b": lambda file: cast("IO[bytes]", gzip.GzipFile(fileobj=file)),
    b"\x28\xb5\x2f\xfd": _open_zstd,
    b"BZh": lambda file: cast("IO[bytes]", bz2.BZ2File(file)),
    b"\xfd7zXZ\x00": lambda file: cast("IO[bytes]", lzma.LZMAFile(file)),
}
"""What the first bytes of a compressed file are, and what reads it."""

NOT_LOGS = {
    b"PK\x03\x04": ("a ZIP archive", "unpack it: unzip -p FILE | lokictl query …"),
    b"7z\xbc\xaf": ("a 7z archive", "unpack it"),
    b"\x04\x22\x4d\x18": ("compressed with LZ4", "unpack it: lz4 -dc FILE | lokictl query …"),
    b"\xff\x06\x00\x00sNaPpY": ("compressed with Snappy", "unpack it"),
    b"LPKSHHRH": ("a systemd journal", "export it: journalctl --file FILE -o json"),
    b"ElfFile\x00": ("a Windows event log", "export it as text"),
    b"\x7fELF": ("a program", "give a file of log lines"),
    b"PAR1": ("a Parquet file", "export it as JSON lines"),
    b"SQLite format 3": ("a SQLite database", "export the lines as text"),
    b"%PDF": ("a PDF file", "give a file of log lines"),
    b"\x89PNG": ("a picture", "give a file of log lines"),
}


def keep_standard_input() -> None:
    """Makes sure that standard input can be read again from its start: what comes through a pipe is kept in a file."""
    if sys.stdin.buffer.seekable():
        return
    kept = tempfile.TemporaryFile()
    shutil.copyfileobj(sys.stdin.buffer, kept, BLOCK_BYTES)
    kept.seek(0)
    sys.stdin = io.TextIOWrapper(cast("IO[bytes]", kept))


def unreadable(path: str, reason: str, hint: str = "") -> LokictlError:
    """The error for a log file that cannot be read."""
    message = f"cannot read the log file: {reason}"
    return LokictlError(Problem("file/unreadable", message, position=Position(path), hint=hint))


def open_log(path: str | Path) -> IO[bytes]:
    """The uncompressed bytes of a log file ("-": standard input).  Raises `LokictlError`."""
    name = str(path)
    try:
        file: Any = sys.stdin.buffer if name == "-" else Path(path).open("rb")  # noqa: SIM115 - the caller closes it
        return _decompressed(file, name)
    except OSError as error:
        raise unreadable(name, error.strerror or str(error)) from None


def _decompressed(file: Any, name: str) -> IO[bytes]:
    head = peek(file)
    for magic, opener in COMPRESSIONS.items():
        if head.startswith(magic):
            inner = io.BufferedReader(opener(file), BLOCK_BYTES)  # type: ignore[type-var]
            with _errors_of(name):
                inner_head = peek(inner)
            check_content(inner_head, name)
            return cast("IO[bytes]", inner)
    check_content(head, name)
    return cast("IO[bytes]", file)


@contextlib.contextmanager
def _errors_of(name: str) -> Iterator[None]:
    """Says as text what a file or its decompression says."""
    try:
        yield
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise unreadable(name, f"its compressed data is broken ({error})") from None
    except OSError as error:
        reason = error.strerror or f"its compressed data is broken ({error})"
        raise unreadable(name, reason) from None
    except Exception as error:
        # The exception's class is that of an imported module only where the file needs it.
        if type(error).__name__ != "ZstdError":
            raise
        raise unreadable(name, f"its compressed data is broken ({error})") from None


def peek(file: Any) -> bytes:
    """The first bytes of a buffered file, which stay to be read."""
    if not hasattr(file, "peek"):
        head = file.read(HEAD_BYTES)
        file.seek(-len(head), os.SEEK_CUR)
        return bytes(head)
    return bytes(file.peek(HEAD_BYTES)[:HEAD_BYTES])


def check_content(head: bytes, name: str) -> None:
    """Raises `LokictlError` for a file that certainly holds no log lines."""
    for magic, (kind, hint) in NOT_LOGS.items():
        if head.startswith(magic):
            raise unreadable(name, f"it is {kind}", hint)
    if head[257:262] == b"ustar":
        raise unreadable(name, "it is a tar archive", "unpack it: tar -xOf FILE | lokictl query … -")


def encoding_of(head: bytes) -> str:
    """The encoding that a byte order mark names; UTF-8 without one."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    return "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"


def line_blocks(file: IO[bytes], path: str) -> Iterator[bytes]:
    """The content in blocks of about `BLOCK_BYTES` that end with a line; the last one may lack its line feed."""
    while True:
        with _errors_of(path):
            block = file.read(BLOCK_BYTES)
            if block and not block.endswith(b"\n"):
                block += file.readline()
        if not block:
            return
        yield block


def text_lines(file: IO[bytes], path: str) -> Iterator[str]:
    """The lines of an open log file; bytes that are not UTF-8 become surrogates, as in file names."""
    encoding = encoding_of(peek(file))
    if encoding == "utf-16":
        for line in io.TextIOWrapper(file, encoding, errors="replace", newline="\n"):
            yield line.removesuffix("\n")
        return
    first = True
    for block in line_blocks(file, path):
        if first and encoding == "utf-8-sig":
            block = block[len(codecs.BOM_UTF8) :]
        first = False
        lines = block.decode("utf-8", "surrogateescape").split("\n")
        if lines[-1] == "":
            lines.pop()
        yield from lines

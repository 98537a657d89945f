"""Finds the values of paths in a JSON text in one lenient sweep, as the ``json`` stage with expressions does.

The sweep looks at strings, braces and brackets only. A string in front of a colon is a key, wherever it stands; an
array is entered only where a path asks for one of its elements; whatever else is wrong goes unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterator

from lokictl.engine.json_parser import (
    MALFORMED,
    STRING,
    STRING_END,
    UNKNOWN_TYPE,
    JsonError,
    block_end,
    next_token,
    read_value,
    unescape,
)

Path = tuple[str, ...]
"""Keys; the element ``n`` of an array is the key ``[n]``."""
Found = tuple[int, bytes, int, str]
"""The path's index, the raw value, its type, and what is wrong with it ("" if nothing is)."""


def find_paths(data: bytes, paths: list[Path], *, array_strings: bool = True) -> Iterator[Found]:
    """The first value of each path in the order of the text; a value that cannot be read has an error.

    Without ``array_strings`` a string in an array cannot be read, as before Loki 3.0.
    """
    yield from _Sweep(data, paths, array_strings).run()


class _Sweep:
    def __init__(self, data: bytes, paths: list[Path], array_strings: bool) -> None:
        self.data, self.paths, self.array_strings = data, paths, array_strings
        self.depth = max(map(len, paths))
        self.done: set[int] = set()
        self.trail: list[str] = [""] * self.depth
        self.level = 0
        self.position = 0

    def run(self) -> Iterator[Found]:
        data = self.data
        while self.position < len(data):
            character = data[self.position]
            if character == 0x22:
                yield from self.string()
            elif character == 0x7B:
                self.level += 1
            elif character in (0x7D, 0x5D):
                self.level -= 1
            elif character == 0x5B:
                yield from self.array()
            if self.position < 0 or len(self.done) == len(self.paths):
                return
            self.position += 1

    def stop(self) -> None:
        self.position = -1

    def on_trail(self, path: Path, length: int) -> bool:
        count = min(len(path), length)
        return list(path[:count]) == self.trail[:count]

    def string(self) -> Iterator[Found]:
        begin = self.position + 1
        end = STRING_END.match(self.data, begin)
        if end is None:
            return self.stop()
        after = next_token(self.data, end.end())
        if after < 0:
            return self.stop()
        if self.data[after] != 0x3A:
            self.position = after - 1
            return
        raw = self.data[begin : end.end() - 1]
        key = unescape(raw) if b"\\" in raw else raw
        if key is None:
            return self.stop()
        self.position = after
        if self.depth >= self.level:
            if self.level < 1:
                yield -1, b"", STRING, MALFORMED
                return self.stop()
            yield from self.key(key.decode("utf-8", "surrogateescape"), after + 1)

    def key(self, name: str, value_at: int) -> Iterator[Found]:
        self.trail[self.level - 1] = name
        for index, path in enumerate(self.paths):
            if index in self.done or len(path) != self.level or not self.on_trail(path, self.level):
                continue
            self.done.add(index)
            yield self.value(index, self.data, value_at)

    def value(self, index: int, data: bytes, at: int) -> Found:
        try:
            raw, kind, _ = read_value(data, at)
            return index, raw, kind, ""
        except JsonError as error:
            return index, b"", STRING, str(error)

    def array(self) -> Iterator[Found]:
        if self.level < 0:
            yield -1, b"", STRING, MALFORMED
            return self.stop()
        wanted = {
            index: int(path[self.level][1:-1] or 0)
            for index, path in enumerate(self.paths)
            if index not in self.done
            and len(path) > self.level
            and path[self.level].startswith("[")
            and path[self.level][1:-1].isdigit()
            and self.on_trail(path, self.level)
        }
        if not wanted:
            end = block_end(self.data, self.position)
            self.position = end - 1 if end >= 0 else -1
            return
        self.level += 1
        offset, number = self.position + 1, 0
        while True:
            start = next_token(self.data, offset)
            if start < 0 or self.data[start] == 0x5D:
                self.position = (start if start >= 0 else len(self.data)) - 1
                return
            try:
                _, _, end = read_value(self.data, start)
            except JsonError:
                self.position = start - 1
                return
            for index, element in wanted.items():
                if element == number:
                    yield from self.inside(index, start, end)
            number += 1
            offset = next_token(self.data, end)
            if offset < 0 or self.data[offset] != 0x2C:
                self.position = (offset if offset >= 0 else len(self.data)) - 1
                return
            offset += 1

    def inside(self, index: int, start: int, end: int) -> Iterator[Found]:
        self.done.add(index)
        rest = self.paths[index][self.level :]
        if not rest and self.data[start] == 0x22 and not self.array_strings:
            yield index, b"", STRING, UNKNOWN_TYPE
            return
        if not rest:
            yield self.value(index, self.data, start)
            return
        # Values further down are looked for in the element alone.
        for _, raw, kind, error in find_paths(self.data[start:end], [rest], array_strings=self.array_strings):
            yield index, raw, kind, error

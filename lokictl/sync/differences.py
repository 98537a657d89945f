"""What a person would call the change: one rule, one panel, one threshold, not two pages of JSON."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from lokictl.lazy import lazy_pattern
from lokictl.records import dataclass

# How items of a list are called, by the list's key.
ITEMS = {
    "panels": "panel",
    "targets": "query",
    "steps": "threshold",
    "rules": "rule",
    "links": "link",
    "overrides": "override",
    "transformations": "transformation",
    "mappings": "value mapping",
    "derivedFields": "derived field",
    "templating": "variable",
    "annotations": "annotation",
    "list": "entry",
    "properties": "property",
    "queries": "query",
    "tags": "tag",
}
# The keys that tell items apart, best first; the first that all items have, each a different one, counts.
IDENTITIES: tuple[tuple[str, ...], ...] = (
    ("id",),
    ("refId",),
    ("uid",),
    ("name",),
    ("title",),
    ("key",),
    ("color",),
    ("matcher",),
    ("value",),
)
LABELS = ("title", "name", "alert", "record", "refId", "uid", "key", "color", "id", "type")
SKIPPED_WORDS = (
    *("fieldConfig", "defaults", "list", "thresholds", "jsonData", "model"),
    *("spec", "elements", "vizConfig", "data"),  # of schema v2
)
LONG = 72
CONTEXT_LINES = 1
# From here on (both sides together) only what has changed inside is shown, with some characters around it.
LONGER = 200
LONG_LINE = 160
AROUND = 24
MOSTLY_THE_SAME = 0.5
WORDS = lazy_pattern(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: ``where`` names the place as text; None stands for "not there"."""

    where: str
    before: Any = None
    after: Any = None

    @property
    def sign(self) -> str:
        """``+`` added, ``-`` removed, ``~`` changed."""
        return "+" if self.before is None else "-" if self.after is None else "~"

    def lines(self) -> list[str]:
        """The difference as people read it, several lines for long strings."""
        if self.before is None:
            return _headed(f"+ {self.where}", "+", self.after)
        if self.after is None:
            return _headed(f"- {self.where}", "-", self.before)
        before, after = _shown(self.before), _shown(self.after)
        if "\n" in before + after:
            return [f"~ {self.where}:", *_line_by_line(before, after)]
        if len(before) + len(after) > LONGER and (parts := _changed_parts(before, after)):
            return [f"~ {self.where}:", *parts]
        if len(before) + len(after) > LONG:
            return [f"~ {self.where}:", f"    - {before}", f"    + {after}"]
        return [f"~ {self.where}: {before} → {after}"]


def _headed(head: str, sign: str, value: Any) -> list[str]:
    if isinstance(value, Mapping):
        text = value.get("expr")
        if not isinstance(text, str):
            return [head]
        return [head, *(f"    {sign} {line}" for line in text.strip("\n").split("\n"))]
    text = _shown(value)
    return [f"{head}: {text}"] if "\n" not in text and text != "" else [head]


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value if value and value == value.strip() and "\t" not in value else _quoted(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _quoted(value: str) -> str:
    return value if "\n" in value else json.dumps(value, ensure_ascii=False)


def _line_by_line(before: str, after: str) -> list[str]:
    """The changed lines with their neighbors; of very long ones only what has changed in them."""
    old, new = before.split("\n"), after.split("\n")
    if max(map(len, (*old, *new))) <= LONG_LINE:
        lines = difflib.unified_diff(old, new, n=CONTEXT_LINES, lineterm="")
        return [f"    {line[0]} {line[1:]}" for line in list(lines)[2:] if not line.startswith("@@")]
    found: list[str] = []
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    for kind, start, stop, first, last in matcher.get_opcodes():
        if kind == "equal":
            continue
        pairs = min(stop - start, last - first)
        for offset in range(pairs):
            one, other = old[start + offset], new[first + offset]
            parts = _changed_parts(one, other) if len(one) + len(other) > LONGER else []
            found += parts or [f"    - {_cut(one)}", f"    + {_cut(other)}"]
        found += [f"    - {_cut(line)}" for line in old[start + pairs : stop]]
        found += [f"    + {_cut(line)}" for line in new[first + pairs : last]]
    return found


def _changed_parts(before: str, after: str) -> list[str]:
    """What has changed inside two long strings, word by word, with encoded URLs decoded; empty if nearly all has."""
    old, new = (WORDS.findall(unquote(text)) for text in (before, after))
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    if matcher.ratio() < MOSTLY_THE_SAME:
        return []
    found: list[str] = []
    for kind, start, stop, first, last in matcher.get_opcodes():
        if kind == "equal":
            continue
        head = _end_of("".join(old[:start]))
        tail = _begin_of("".join(old[stop:]))
        one, other = "".join(old[start:stop]), "".join(new[first:last])
        found.append(f"    {head}{_marked(one, other)}{tail}")
    # The two differ in nothing but how they are encoded.
    return found or ["    (only the encoding)"]


def _marked(one: str, other: str) -> str:
    if not one:
        return f"[+ {_cut(other)}]"
    return f"[{_cut(one)} → {_cut(other)}]" if other else f"[- {_cut(one)}]"


def _end_of(text: str) -> str:
    return text if len(text) <= AROUND else f"…{text[-AROUND:]}"


def _begin_of(text: str) -> str:
    return text if len(text) <= AROUND else f"{text[:AROUND]}…"


def _cut(text: str) -> str:
    return text if len(text) <= LONG_LINE else f"{text[:LONG_LINE]}… ({len(text)} characters)"


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """What has changed from one normal form to another, in the order of the document."""
    return tuple(_mappings((), _without_rows(before), _without_rows(after)))


def _without_rows(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Panels of collapsed rows beside the others, so that folding a row is not a change of all its panels."""
    panels = body.get("panels")
    if not isinstance(panels, list):
        return body
    flat: list[Any] = []
    for panel in panels:
        if isinstance(panel, dict) and isinstance(panel.get("panels"), list) and panel["panels"]:
            flat.append({**panel, "panels": []})
            flat.extend(panel["panels"])
        else:
            flat.append(panel)
    return {**body, "panels": flat}


def _mappings(
    path: tuple[str, ...], before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Difference]:
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if path[-1:] == ("elements",):
            yield from _element(path, key, old, new)
        elif key == "gridPos" and isinstance(old, Mapping) and isinstance(new, Mapping):
            yield Difference(_where((*path, "position")), _position(old), _position(new))
        else:
            yield from _values((*path, key), old, new)


def _element(path: tuple[str, ...], name: str, before: Any, after: Any) -> Iterator[Difference]:
    """A panel of schema v2: by its title, as in the classic schema."""
    panel = after if after is not None else before
    title = (panel.get("spec") or {}).get("title") if isinstance(panel, Mapping) else ""
    where = (*path, f'panel "{title}" ({name})' if title else f"panel {name}")
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _mappings(where, before, after)
    else:
        yield Difference(_where(where), before, after)


def _values(path: tuple[str, ...], before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _mappings(path, before, after)
    elif isinstance(before, list | None) and isinstance(after, list | None) and _items(before, after):
        yield from _lists(path, before or [], after or [])
    elif isinstance(before, list) and isinstance(after, list) and _are_texts(before + after):
        yield from _sets(path, before, after)
    else:
        yield Difference(_where(path), before, after)


def _items(before: Any, after: Any) -> bool:
    together = [*(before or []), *(after or [])]
    return bool(together) and all(isinstance(item, Mapping) for item in together)


def _are_texts(items: Sequence[Any]) -> bool:
    return all(isinstance(item, str) for item in items)


def _sets(path: tuple[str, ...], before: list[str], after: list[str]) -> Iterator[Difference]:
    name = ITEMS.get(path[-1], f"entry of {path[-1]}")
    yield from (Difference(_where((*path[:-1], name)), item, None) for item in before if item not in after)
    yield from (Difference(_where((*path[:-1], name)), None, item) for item in after if item not in before)
    if sorted(before) == sorted(after):
        yield Difference(_where((*path[:-1], f"order of {path[-1]}")), ", ".join(before), ", ".join(after))


def _lists(path: tuple[str, ...], before: list[Any], after: list[Any]) -> Iterator[Difference]:
    if path[-1] == "rules":
        yield from _rules(path, before, after)
        return
    identity = _identity(before, after)
    if identity is None:
        yield from _by_place(path, before, after)
        return
    old = {_identified(item, identity): item for item in before}
    new = {_identified(item, identity): item for item in after}
    for mark, item in old.items():
        if mark not in new:
            yield Difference(_where((*path[:-1], _name(path, item))), item, None)
        elif item != new[mark]:
            yield from _mappings((*path[:-1], _name(path, new[mark])), item, new[mark])
    for mark, item in new.items():
        if mark not in old:
            yield Difference(_where((*path[:-1], _name(path, item))), None, item)
    yield from _order(path, old, new)


def _rules(path: tuple[str, ...], before: list[Any], after: list[Any]) -> Iterator[Difference]:
    """Rules by name; of several with one name, those that have most in common are the same."""
    pairs = _paired_rules(before, after)
    for number, item in enumerate(before):
        if number not in pairs:
            yield Difference(_where((*path[:-1], _name(path, item))), item, None)
        elif item != after[pairs[number]]:
            name = _name(path, item)
            yield from _mappings((*path[:-1], name), item, after[pairs[number]])
    for number, item in enumerate(after):
        if number not in pairs.values():
            yield Difference(_where((*path[:-1], _name(path, item))), None, item)
    order = [pairs[number] for number in range(len(before)) if number in pairs]
    if order != sorted(order):
        old = ", ".join(_label(after[number]) for number in order)
        new = ", ".join(_label(after[number]) for number in sorted(order))
        yield Difference(_where((*path[:-1], f"order of the {path[-1]}")), old, new)


def _paired_rules(before: list[Any], after: list[Any]) -> dict[int, int]:
    pairs: dict[int, int] = {}
    left = set(range(len(after)))

    def likeness(one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
        keys = {*one, *other}
        return -sum(bool(one.get(key) != other.get(key)) for key in keys)

    for number, item in enumerate(before):  # what has not changed, first
        same = next((n for n in sorted(left) if after[n] == item), None)
        if same is not None:
            pairs[number] = same
            left.discard(same)
    for number, item in enumerate(before):
        named = [n for n in sorted(left) if _label(after[n]) == _label(item)]
        if number not in pairs and named:
            best = max(named, key=lambda n: (likeness(item, after[n]), -n))
            pairs[number] = best
            left.discard(best)
    return pairs


def _order(path: tuple[str, ...], old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    before = [mark for mark in old if mark in new]
    after = [mark for mark in new if mark in old]
    if before != after:
        where = _where((*path[:-1], f"order of the {path[-1]}"))
        yield Difference(where, _labels(old, before), _labels(new, after))


def _labels(items: Mapping[str, Any], marks: list[str]) -> str:
    return ", ".join(_label(items[mark]) for mark in marks)


def _by_place(path: tuple[str, ...], before: list[Any], after: list[Any]) -> Iterator[Difference]:
    matcher = difflib.SequenceMatcher(
        a=[_mark(i) for i in before], b=[_mark(i) for i in after], autojunk=False
    )
    for kind, start, stop, first, last in matcher.get_opcodes():
        if kind == "equal":
            continue
        pairs = min(stop - start, last - first)
        for offset in range(pairs):
            item = after[first + offset]
            yield from _mappings((*path[:-1], _name(path, item)), before[start + offset], item)
        for item in before[start + pairs : stop]:
            yield Difference(_where((*path[:-1], _name(path, item))), item, None)
        for item in after[first + pairs : last]:
            yield Difference(_where((*path[:-1], _name(path, item))), None, item)


def _identity(before: list[Any], after: list[Any]) -> tuple[str, ...] | None:
    for keys in IDENTITIES:
        if all(_is_unique(items, keys) for items in (before, after)):
            return keys
    return None


def _is_unique(items: list[Any], keys: tuple[str, ...]) -> bool:
    marks = [_identified(item, keys) for item in items if any(item.get(key) is not None for key in keys)]
    return len(marks) == len(items) and len(set(marks)) == len(marks)


def _identified(item: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return _mark([item.get(key) for key in keys])


def _mark(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _label(item: Mapping[str, Any]) -> str:
    for key in LABELS:
        value = item.get(key)
        if value not in (None, "") and not isinstance(value, dict | list):
            return str(value)
    return ""


def _name(path: tuple[str, ...], item: Mapping[str, Any]) -> str:
    name = ITEMS.get(path[-1], path[-1])
    if name == "entry" and len(path) > 1:
        name = ITEMS.get(path[-2], path[-2])
    if name == "panel" and item.get("type") == "row":
        name = "row"
    if name == "threshold":
        return f"threshold {_label(item)}".rstrip()
    label = _label(item)
    number = f" (id {item['id']})" if name == "panel" and "id" in item and label != str(item["id"]) else ""
    return f'{name} "{label}"{number}' if label else name


def _where(path: tuple[str, ...]) -> str:
    words = [word for word in path[:-1] if word not in (*SKIPPED_WORDS, "templating", "annotations")]
    return " › ".join((*words, path[-1]))


def _position(place: Mapping[str, Any]) -> str:
    return f"x {place.get('x', 0)}, y {place.get('y', 0)}, {place.get('w', 0)} × {place.get('h', 0)}"

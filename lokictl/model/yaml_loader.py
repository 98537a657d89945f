"""Which scalars of YAML are numbers, booleans or null: read the way Go's YAML library reads them for Loki."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from lokictl.lazy import lazy_pattern
from lokictl.model.yaml_library import Composer, ComposerError, yaml


def new_loader() -> Any:
    """The class of `yaml` loaders for files of ours."""
    global _LOADER
    if _LOADER is None:
        base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        loader = type("Loader", (base,), {"yaml_implicit_resolvers": {}})
        _add_resolvers(loader)
        _LOADER = loader
    return _LOADER


_LOADER: Any = None


def compose(text: str) -> Iterator[yaml.Node]:
    """The root nodes of all documents of a string.  Raises `yaml.YAMLError`."""
    known = 0
    try:
        for node in yaml.compose_all(text, Loader=new_loader()):
            yield node
            known += 1
    except ComposerError as error:
        if not str(error.context).startswith("found duplicate anchor"):
            raise
        yield from itertools.islice(yaml.compose_all(text, Loader=_redefining_loader()), known, None)


def _redefining_loader() -> Any:
    """A class of loaders for which an anchor that is defined again is another one, as YAML has it and Go reads it.

    Written in Python: slower than the others.
    """
    base = new_loader()

    class Loader(Composer, base):  # type: ignore[misc, valid-type]
        def __init__(self, stream: str) -> None:
            base.__init__(self, stream)
            Composer.__init__(self)

        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            if not self.check_event(yaml.AliasEvent):
                self.anchors.pop(self.peek_event().anchor, None)
            return super().compose_node(parent, index)

    return Loader


def _add_resolvers(loader: Any) -> None:
    patterns = {
        "bool": (r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
        "null": (r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
        "int": (r"^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$", "-+0123456789"),
        "float": (
            r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$",
            "-+.0123456789",
        ),
        "merge": (r"^<<$", "<"),
    }
    for tag in ("bool", "null", "int", "float", "merge"):
        pattern, first = patterns[tag]
        loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", lazy_pattern(pattern), list(first))


def scalar_value(node: yaml.Node) -> Any:
    """The value of a scalar's node."""
    return value_of(node.tag, str(node.value))


def value_of(tag: str, text: str) -> Any:
    """The value of a scalar with a tag."""
    tag = tag.rpartition(":")[2]
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() == "true"
    if tag == "int":
        return _int_value(text)
    if tag == "float":
        try:
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            return text
    return text


def _int_value(text: str) -> int | str:
    digits = text.replace("_", "")
    sign, body = (digits[0], digits[1:]) if digits[:1] in ("+", "-") else ("", digits)
    if len(body) > 1 and body[0] == "0" and body[1] in "01234567":
        body = "0o" + body[1:]
    try:
        return int(sign + body, 0)
    except ValueError:
        return text

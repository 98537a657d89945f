"""XML documents: characters that XML cannot hold, indentation, the declaration."""

from __future__ import annotations

from xml.etree import ElementTree

from lokictl.lazy import lazy_pattern

_NOT_XML = lazy_pattern("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: str) -> str:
    """``text`` with U+FFFD in place of characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)


def element(parent: ElementTree.Element | None, name: str, /, **attributes: str | int) -> ElementTree.Element:
    """A new element below ``parent`` (None: a root) with printable attributes."""
    shown = {key: printable(str(value)) for key, value in attributes.items()}
    return ElementTree.Element(name, shown) if parent is None else ElementTree.SubElement(parent, name, shown)


def document(root: ElementTree.Element) -> str:
    """The indented document with its declaration."""
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)

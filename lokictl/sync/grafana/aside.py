"""The name or title that a resource gives up while another one takes its place."""

from __future__ import annotations

import dataclasses

from lokictl.sync.plan import Kind, Live

GIVES_WAY = " (replaced by lokictl)"


def giving_way(live: Live) -> Live:
    """A resource as it is while another one takes its place: under another name or title."""
    if live.key.kind not in (Kind.DASHBOARD, Kind.DATA_SOURCE):
        return live
    title = live.title if gives_way(live) else f"{live.title}{GIVES_WAY}"
    name = "name" if live.key.kind is Kind.DATA_SOURCE else "title"
    return dataclasses.replace(live, title=title, body={**live.body, name: title})


def before_giving_way(live: Live) -> Live:
    """What `giving_way` was given."""
    title = live.title.removesuffix(GIVES_WAY)
    name = "name" if live.key.kind is Kind.DATA_SOURCE else "title"
    return dataclasses.replace(live, title=title, body={**live.body, name: title})


def gives_way(live: Live) -> bool:
    """Whether a run has begun to put another one in its place."""
    return live.title.endswith(GIVES_WAY)

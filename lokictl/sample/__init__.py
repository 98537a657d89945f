"""Realistic, seeded logs of services: healthy, or with a named incident that trips certain alerts.

The logs of a service come from a `SampleSource`: one that the project provides for it (a module-level object in
its services folder), else one made from the service's description alone.
"""

from lokictl.model.sample import Incident, SampleEntry, SampleRequest, SampleSource, Trace
from lokictl.sample.generate import (
    choose_sources,
    default_source,
    fill_store,
    generate,
    project_sources,
)

__all__ = [
    "Incident",
    "SampleEntry",
    "SampleRequest",
    "SampleSource",
    "Trace",
    "choose_sources",
    "default_source",
    "fill_store",
    "generate",
    "project_sources",
]

"""Writes the files to ship: Grafana's provisioning, the ruler's rule files, ConfigMaps, Helm charts, the platform."""

from lokictl.render.rendering import OUTPUTS, Output, Rendering, chosen_outputs, render, rendering, write
from lokictl.render.settings import Settings, parse_grafana_version, settings_of

__all__ = [
    "OUTPUTS",
    "Output",
    "Rendering",
    "Settings",
    "chosen_outputs",
    "parse_grafana_version",
    "render",
    "rendering",
    "settings_of",
    "write",
]

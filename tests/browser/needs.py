"""What the tests of the pages need."""

from __future__ import annotations

import pytest

from tests.browser import given
from tests.stack.grafana_server import NEEDS_GRAFANA
from tests.stack.servers import needs

NEEDS_EVERYTHING = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.real_grafana,
    pytest.mark.real_loki,
    *([] if given.URL else NEEDS_GRAFANA),
    needs("chromium", "chromium-browser", "google-chrome"),
    needs("loki"),
    needs("prometheus"),
    needs("alertmanager", "prometheus-alertmanager"),
]

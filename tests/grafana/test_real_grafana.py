"""Every dashboard opens in a real Grafana's web page: its rows and panels are drawn, in a headless Chromium."""

from __future__ import annotations

import html
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lokictl.project import load
from lokictl.render import render
from tests.stack.grafana_server import ADMIN, NEEDS_GRAFANA, grafana
from tests.stack.servers import get_json, needs, program, wait_for

ROOT = Path(__file__).resolve().parents[2]
PROJECT = load(ROOT)
CHROMIUM = program("chromium", "chromium-browser", "google-chrome")
pytestmark = [
    pytest.mark.real_grafana,
    pytest.mark.slow,
    needs("chromium", "chromium-browser", "google-chrome"),
    *NEEDS_GRAFANA,
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Grafana with the rendered provisioning, open to everybody."""
    folder = tmp_path_factory.mktemp("grafana")
    render(PROJECT, folder / "build", what=["grafana"])
    anonymous = {"GF_AUTH_ANONYMOUS_ENABLED": "true", "GF_AUTH_ANONYMOUS_ORG_ROLE": "Admin"}
    with grafana(folder / "build/grafana/provisioning", folder, anonymous) as url:
        uids = {dashboard.uid for dashboard in PROJECT.dashboards}
        wait_for(
            lambda: uids <= {item["uid"] for item in get_json(f"{url}/api/search?type=dash-db", auth=ADMIN)}
        )
        yield url


def page(url: str, folder: Path) -> str:
    """The page's document after its scripts have run."""
    assert CHROMIUM
    done = subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
            *("--window-size=1600,4000", "--virtual-time-budget=20000", f"--user-data-dir={folder}", url),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return html.unescape(done.stdout)


@pytest.mark.parametrize("uid", [dashboard.uid for dashboard in PROJECT.dashboards])
def test_the_dashboard_is_drawn(server: str, uid: str, tmp_path: Path) -> None:
    dashboard = next(item for item in PROJECT.dashboards if item.uid == uid).to_json()
    document = page(f"{server}/d/{uid}?kiosk", tmp_path)
    for words in ("Dashboard not found", "Panel plugin not found", "Error loading: "):
        assert words not in document
    titles = [panel["title"] for panel in dashboard["panels"] if panel["gridPos"]["y"] < 20]
    assert titles
    assert [title for title in titles if title not in document] == []

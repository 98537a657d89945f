"""A label, a retention or a port exists once: one change of a description reaches every file that depends on it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
CONTENT = ("services", "rules", "dashboards", "datasources", "stack")
CONFIGURATION = 'name = "neurectomy"\ntenant = "neurectomy"\n[render]\nfolder = "The stack"\n'


def copy(folder: Path) -> None:
    """The content of this project, as a project of its own."""
    for name in CONTENT:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "lokictl.toml").write_text(CONFIGURATION)


def render(folder: Path) -> dict[str, bytes]:
    """Path -> bytes of what the command renders; in a process of its own, for the modules are changed."""
    command = [
        sys.executable,
        "-m",
        "lokictl",
        "render",
        "-q",
        "--project",
        str(folder),
        "-o",
        str(folder / "out"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    out = folder / "out"
    return {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("before")
    copy(folder)
    return render(folder)


LOKI = {"stack/loki/loki.yaml", "stack/loki/loki-migrating.yaml", "kubernetes/platform/loki.yaml"}
COLLECTORS = {
    *("stack/alloy/config.alloy", "kubernetes/platform/alloy.yaml"),
    *("stack/promtail/promtail.yaml", "kubernetes/optional/promtail.yaml"),
}
RULES = {"rules/neurectomy/ryot.yaml", "kubernetes/neurectomy/rules/neurectomy-rules.yaml"}
CONTENT_MAPS = "kubernetes/platform/content.yaml"

CHANGES = [
    # file, text, its replacement, files that change with it, files that do not
    ("services/ryot.py", 'retention="30d"', 'retention="45d"', LOKI, COLLECTORS | RULES),
    ("services/ryot.py", 'debug_retention="3d"', 'debug_retention="2d"', LOKI, COLLECTORS | RULES),
    (
        "services/ryot.py",
        'p99_duration="5s"',
        'p99_duration="6s"',
        RULES | COLLECTORS | {CONTENT_MAPS},  # the collectors' buckets bracket the objective
        LOKI,
    ),
    (
        "services/ryot.py",
        'example="api",',
        'example="api", structured_metadata=True,',
        COLLECTORS,
        LOKI | RULES,
    ),
    (
        "services/common.py",
        'NAMESPACE = "neurectomy"',
        'NAMESPACE = "brain"',
        {
            "kubernetes/platform/cluster.yaml",
            "kubernetes/platform/network.yaml",
            "rules/neurectomy/recordings.yaml",
        },
        LOKI,
    ),
    (
        "services/sigmavault.py",
        'name="sigmavault"',
        'name="vault"',
        {"stack/alertmanager/alertmanager.yaml", "rules/neurectomy/sigmavault.yaml", *COLLECTORS},
        set(),
    ),
    (
        "stack/figures.py",
        "alertmanager: int = 9093",
        "alertmanager: int = 9095",
        {
            *("stack/loki/loki.yaml", "stack/prometheus/prometheus.yaml", "stack/grafana/grafana.env"),
            *("kubernetes/platform/network.yaml", "kubernetes/platform/alertmanager.yaml"),
        },
        COLLECTORS,
    ),
    (
        "stack/figures.py",
        "loki_http: int = 3100",
        "loki_http: int = 3101",
        {*LOKI, *COLLECTORS, "stack/grafana/grafana.env", "kubernetes/platform/network.yaml"},
        {"stack/alertmanager/alertmanager.yaml"},
    ),
    (
        "stack/figures.py",
        'TENANT = "neurectomy"',
        'TENANT = "other"',
        {*COLLECTORS, "stack/grafana/grafana.env"},
        {"stack/prometheus/prometheus.yaml"},
    ),
]


@pytest.mark.parametrize(
    "file, text, replacement, changed, unchanged",
    CHANGES,
    ids=[f"{Path(change[0]).stem}-{change[2].split('=')[0].strip().strip(':')}" for change in CHANGES],
)
def test_one_change_reaches_every_file(
    tmp_path: Path,
    before: dict[str, bytes],
    file: str,
    text: str,
    replacement: str,
    changed: set[str],
    unchanged: set[str],
) -> None:
    copy(tmp_path)
    source = (tmp_path / file).read_text()
    assert source.count(text) == 1
    (tmp_path / file).write_text(source.replace(text, replacement))
    after = render(tmp_path)
    different = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert changed <= different
    assert not unchanged & different
    for component in {Path(path).stem for path in changed if path.startswith("kubernetes/platform/")}:
        inside = [path for path in different if path.startswith("helm/neurectomy-platform/")]
        # The namespace of the applications is a value of the chart.
        names = (component, "/values.yaml")
        assert component == "content" or any(name in path for path in inside for name in names), component

"""Installing, upgrading and uninstalling the platform with Helm, as docs/installation.md says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stack.kubernetes_api import Cluster, cluster, merged
from tests.stack.platform import OBJECTS
from tests.stack.servers import needs
from tests.stack.test_chart import write_chart

pytestmark = [pytest.mark.slow, needs("helm")]

APPLICATIONS = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "neurectomy"}}


@dataclass(frozen=True)
class Helm:
    """The program, the chart, and the cluster that it works on."""

    folder: Path
    chart: Path
    cluster: Cluster

    def run(self, *arguments: str) -> str:
        """What Helm says; fails with what it says where it fails."""
        done = self.try_to(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def try_to(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        # Helm keeps its settings and caches in the home folder.
        environment = {
            **os.environ,
            "KUBECONFIG": str(self.cluster.kubeconfig(self.folder)),
            "HOME": str(self.folder),
        }
        return subprocess.run(["helm", *arguments], capture_output=True, text=True, env=environment)

    def install(self, *arguments: str) -> str:
        """Installs the platform, or upgrades it."""
        command = ["upgrade", "--install", "observability", str(self.chart), "--namespace", "monitoring"]
        return self.run(*command, "--create-namespace", *arguments)


@pytest.fixture
def helm(tmp_path: Path) -> Iterator[Helm]:
    with cluster() as found:
        found.objects["Namespace", "", "neurectomy"] = APPLICATIONS
        yield Helm(tmp_path, write_chart(tmp_path), found)


def test_installing_makes_the_objects_of_the_plain_manifests(helm: Helm) -> None:
    helm.install()
    expected = {(item["kind"], item["metadata"]["name"]) for item in OBJECTS}
    given = {("Namespace", name) for name in ("default", "kube-system")}
    assert helm.cluster.names() == expected | given
    # The namespace of the applications was there, and is as it was.
    assert helm.cluster.objects["Namespace", "", "neurectomy"] == APPLICATIONS


def test_installing_twice_changes_nothing(helm: Helm) -> None:
    helm.install()
    helm.cluster.taken_changes()
    helm.install()
    assert helm.cluster.taken_changes() == set()


def test_a_namespace_that_somebody_else_made_is_not_taken_over(helm: Helm) -> None:
    done = helm.try_to(
        *("upgrade", "--install", "observability", str(helm.chart), "--namespace", "monitoring"),
        *("--create-namespace", "--set", "applications.createNamespace=true"),
    )
    assert done.returncode != 0
    assert 'Namespace "neurectomy"' in done.stderr
    assert helm.cluster.objects["Namespace", "", "neurectomy"] == APPLICATIONS


def test_an_upgrade_touches_what_changed_and_who_reads_it(helm: Helm) -> None:
    helm.install()
    helm.cluster.taken_changes()
    file = helm.chart / "files/alertmanager-config/alertmanager.yaml"
    file.write_text(file.read_text().replace("resolve_timeout: 5m", "resolve_timeout: 6m"))
    helm.install()
    assert helm.cluster.taken_changes() == {
        ("patch", "ConfigMap", "alertmanager-config"),
        ("patch", "StatefulSet", "alertmanager"),
    }


def test_an_upgrade_replaces_the_collector(helm: Helm) -> None:
    helm.install()
    helm.cluster.taken_changes()
    helm.install("--set", "collector.name=promtail")
    changes = helm.cluster.taken_changes()
    assert {name for _, name in helm.cluster.names("DaemonSet")} == {"promtail"}
    assert {("create", "DaemonSet", "promtail"), ("delete", "DaemonSet", "alloy")} <= changes
    assert ("patch", "Service", "syslog") in changes
    helm.run("rollback", "observability", "1", "--namespace", "monitoring")
    assert {name for _, name in helm.cluster.names("DaemonSet")} == {"alloy"}


def test_uninstalling_leaves_the_applications_and_the_storage_class(helm: Helm) -> None:
    del helm.cluster.objects["Namespace", "", "neurectomy"]
    helm.install("--set", "applications.createNamespace=true")
    before = helm.cluster.names("Namespace")
    said = helm.run("uninstall", "observability", "--namespace", "monitoring")
    assert "kept due to the resource policy" in said
    assert helm.cluster.names() == before | {("StorageClass", "fast-ssd")}
    assert ("Namespace", "neurectomy") in before
    # What was kept belongs to a release of that name, and is found again.
    helm.install("--set", "applications.createNamespace=true")
    assert ("StatefulSet", "loki") in helm.cluster.names()


def test_patches_are_merged_by_name() -> None:
    base = {"a": 1, "list": [{"name": "x", "v": 1}, {"name": "y"}], "plain": [1]}
    patch = {"a": None, "list": [{"name": "x", "v": 2}], "plain": [2], "$setElementOrder/list": []}
    assert merged(base, patch) == {"list": [{"name": "x", "v": 2}, {"name": "y"}], "plain": [2]}

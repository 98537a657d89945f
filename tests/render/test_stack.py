"""A platform of somebody's own: components in any project, with and without Kubernetes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

from lokictl.diagnostics import LokictlError
from lokictl.project import Project
from lokictl.render import rendering
from tests.render.samples import RULES

MakeProject = Callable[..., Project]

PROXY = """\
from lokictl.model.component import Component, HelmValue

def mounted(files):
    rules = {path.rpartition("/")[2]: text for path, text in files.items() if path.startswith("rules/")}
    return ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rules"}, "data": rules},)

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "proxy"},
    "spec": {"type": HelmValue("proxy.type", "ClusterIP"), "ports": [{"port": 80}]},
}
PROXY = Component(
    name="proxy",
    title="Proxy",
    configuration={"proxy.conf": "listen 80;\\n", "proxy.yaml": {"port": 80}},
    manifests=(SERVICE,),
    content_manifests=mounted,
)
"""

PLAIN = """\
from lokictl.model.component import Component
A = Component(name="a", title="A", configuration={"a.conf": "x"})
"""


def test_a_component_with_rendered_files(make_project: MakeProject) -> None:
    project = make_project({"stack/proxy.py": PROXY, "rules/shop.yaml": RULES})
    files = dict(rendering(project, what=["stack"]))
    assert files["stack/proxy/proxy.conf"] == "listen 80;\n"
    assert yaml.safe_load(files["stack/proxy/proxy.yaml"]) == {"port": 80}
    service, rules = yaml.safe_load_all(files["kubernetes/platform/proxy.yaml"])
    assert service["spec"]["type"] == "ClusterIP"
    assert rules["data"] == {"shop.yaml": dict(rendering(project))["rules/demo/shop.yaml"]}
    assert yaml.safe_load(files["helm/shop-platform/values.yaml"]) == {"proxy": {"type": "ClusterIP"}}
    assert files["helm/shop-platform/files/rules/shop.yaml"] == rules["data"]["shop.yaml"]
    assert ".Values.proxy.type" in files["helm/shop-platform/templates/proxy.yaml"]


def test_configuration_alone_needs_no_chart(make_project: MakeProject) -> None:
    files = dict(rendering(make_project({"stack/a.py": PLAIN})))
    assert files == {"stack/a/a.conf": "x"}


def test_two_components_of_one_name(make_project: MakeProject) -> None:
    second = PLAIN.replace("A =", "B =").replace('title="A"', 'title="B"')
    project = make_project({"stack/a.py": PLAIN, "stack/b.py": second})
    with pytest.raises(LokictlError, match='the components "A" and "B" would both be written as a'):
        rendering(project)

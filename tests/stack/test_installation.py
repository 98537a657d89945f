"""docs/installation.md says what is so: its secrets, values and commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from stack import alertmanager
from tests.stack.kubernetes_api import cluster
from tests.stack.platform import EVERY, FILES, PROJECT, ROOT, workloads
from tests.stack.servers import needs
from tests.stack.test_chart import CHART, VALUES, helm_objects, write_chart
from tests.stack.test_releases import Helm

PAGE = (ROOT / "docs/installation.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(command)
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for command in block.replace("\\\n", " ").splitlines()
]
EXAMPLES = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
RENDERED = f"build/helm/{PROJECT.name}-platform"


def secret_keys() -> dict[str, set[str]]:
    """Secret -> the keys that the platform's pods read."""
    found: dict[str, set[str]] = {}
    for item in workloads():
        pod = item["spec"]["template"]["spec"]
        for container in pod["containers"]:
            for entry in container.get("env", ()):
                if "secretKeyRef" in entry.get("valueFrom", {}):
                    reference = entry["valueFrom"]["secretKeyRef"]
                    found.setdefault(reference["name"], set()).add(reference["key"])
        for volume in pod.get("volumes", ()):
            if "secret" in volume:
                files = set(re.findall(rf"{alertmanager.SECRETS}/(\w+)", str(alertmanager.configuration())))
                found.setdefault(volume["secret"]["secretName"], set()).update(files)
    return found


def test_the_page_creates_every_secret_with_every_key() -> None:
    created = {
        command[6]: {part.removeprefix("--from-literal=").partition("=")[0] for part in command[7:]}
        for command in COMMANDS
        if command[3:6] == ["create", "secret", "generic"]
    }
    assert len(created) == 3
    assert created == secret_keys()


@pytest.mark.parametrize("values", EXAMPLES, ids=[next(iter(values)) for values in EXAMPLES])
def test_the_values_of_the_page_change_the_chart(values: dict[str, Any], tmp_path: Path) -> None:
    jsonschema.validate(values, yaml.safe_load(FILES[f"helm/{CHART}/values.schema.json"]))
    chart = write_chart(tmp_path)
    assert helm_objects(chart, values) != helm_objects(chart)


def test_values_and_files_that_the_page_names_exist() -> None:
    named = set(re.findall(r"`((?:\w+\.)+\w+)(?:: [\w]+)?`", PAGE))
    paths = {name for name in named if name.partition(".")[0] in VALUES and not name.endswith(".yaml")}
    assert len(paths) >= 2
    for path in paths:
        place: Any = VALUES
        for part in path.split("."):
            place = place[part]
    cases = set(re.findall(r"build/(stack/[\w./-]+|kubernetes/[\w/]+)", PAGE))
    assert cases
    for file in cases:
        assert any(path == file or path.startswith(f"{file}/") for path in FILES), file
    cases = set(re.findall(r"`([\w-]+\.yaml)`", PAGE)) - {"values.yaml"}
    assert cases
    for name in cases:
        assert any(path.endswith(f"/{name}") for path in FILES), name
    cases = set(re.findall(r"`((?:tests|stack)/[\w/]+\.py)`", PAGE))
    assert cases
    for file in cases:
        assert (ROOT / file).is_file(), file


def test_services_and_ports_that_the_page_names_exist() -> None:
    services = {item["metadata"]["name"]: item for item in EVERY if item["kind"] == "Service"}
    for name, ports in (("jaeger", (4317, 4318, 14268, 6831)), ("syslog", (1514,)), ("grafana", (3000,))):
        known = {port["port"] for port in services[name]["spec"]["ports"]}
        for port in ports:
            assert port in known
            assert str(port) in PAGE


@pytest.mark.slow
@needs("helm")
def test_helm_does_what_the_page_says(tmp_path: Path) -> None:
    """Install, switch the collector, uninstall: the page's own commands, one after the other."""
    chart = write_chart(tmp_path)
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(EXAMPLES[0]))
    commands = [command[1:] for command in COMMANDS if command[0] == "helm"]
    assert len(commands) == 3
    places = {RENDERED: str(chart), "values.yaml": str(tmp_path / "values.yaml")}
    with cluster() as found:
        helm = Helm(tmp_path, chart, found)
        # Step 1.
        found.objects["Namespace", "", "monitoring"] = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "monitoring"},
        }
        seen = []
        for command in commands:
            helm.run(*(places.get(part, part) for part in command))
            seen.append({name for _, name in found.names("DaemonSet")})
        assert seen == [{"alloy"}, {"promtail"}, set()]
        assert found.names("Namespace") == {
            ("Namespace", name) for name in ("default", "kube-system", "monitoring")
        }

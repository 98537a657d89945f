"""What a Loki that was started for one run can do beyond one that is there: lines at once, and its own discoveries."""

from __future__ import annotations

import secrets
import time as clock
from abc import abstractmethod
from collections.abc import Mapping

from lokictl.backends.configuration import RELOAD_SECONDS, TENANTS_AT_ONCE, Discovery
from lokictl.backends.interface import Backend, BackendError
from lokictl.backends.url import UrlBackend

UNSEEN_RELOADS = 5
"""How often a Loki that does not print its limits (before 3.6) has read them once they count."""


class ThrowawayBackend(UrlBackend):
    """A Loki with the configuration for tests; subclasses start and stop it."""

    flushes = False

    def __init__(self, url: str, *, wait_seconds: float) -> None:
        super().__init__(url, wait_seconds=wait_seconds)
        self._tenants: dict[str, Discovery] = {}
        self._unused: dict[Discovery, list[str]] = {}

    @abstractmethod
    def write_overrides(self, tenants: Mapping[str, Discovery]) -> None:
        """Changes the limits of some tenants; Loki reads them every `RELOAD_SECONDS`."""

    def fresh(self, *, discover_service_name: bool = False, discover_log_levels: bool = False) -> Backend:
        """The same Loki with another tenant, for which Loki itself adds what is asked for."""
        other = super().fresh()
        assert isinstance(other, UrlBackend)
        if discover_service_name or discover_log_levels:
            other.use_tenant(self._tenant((discover_service_name, discover_log_levels)))
            other.discovers_service_name = discover_service_name
            other.discovers_log_levels = discover_log_levels
        return other

    def _tenant(self, discovery: Discovery) -> str:
        unused = self._unused.setdefault(discovery, [])
        if not unused:
            unused += [f"lokictl-test-{secrets.token_hex(8)}" for _ in range(TENANTS_AT_ONCE)]
            self._tenants.update(dict.fromkeys(unused, discovery))
            self.write_overrides(self._tenants)
            self._wait_until_discovering(unused[-1], discovery)
        return unused.pop()

    def _wait_until_discovering(self, tenant: str, discovery: Discovery) -> None:
        deadline = clock.monotonic() + self.wait_seconds
        while (found := self._discovery_of(tenant)) != discovery:
            if found is None:
                clock.sleep(RELOAD_SECONDS * UNSEEN_RELOADS)
                return
            if clock.monotonic() > deadline:
                message = f"Loki did not read its limits by tenant within {self.wait_seconds:g} s"
                raise BackendError(message, hint="does this version of Loki know runtime_config?")
            clock.sleep(RELOAD_SECONDS / 2)

    def _discovery_of(self, tenant: str) -> Discovery | None:
        """What Loki's limits for a tenant, which it prints as YAML, say; None from a Loki that does not print them."""
        answer = self.client.request("GET", "/config/tenant/v1/limits", tenant=tenant)
        if answer.status == 404:
            return None
        limits = answer.text()
        return "discover_service_name: []" not in limits, "discover_log_levels: true" in limits

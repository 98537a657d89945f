"""What the live checks ask a running Loki; every question once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from lokictl.durations import SECOND
from lokictl.lazy import lazy
from lokictl.loki_api import BUILDINFO_PATH
from lokictl.records import dataclass

if TYPE_CHECKING:
    from lokictl.backends import http, interface
else:
    # Lint of files asks nobody.
    http, interface = lazy("lokictl.backends.http"), lazy("lokictl.backends.interface")

MAX_STEPS = 1_000


@dataclass(frozen=True)
class LokiOptions:
    """A Loki to ask: ``since`` in nanoseconds, headers as the server wants them (tenant, authorization)."""

    url: str
    since: int
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stats:
    """What lies in the index for a selector and a time; ``bytes`` are uncompressed."""

    streams: int = 0
    bytes: int = 0
    entries: int = 0


@dataclass
class LiveLoki:
    """A Loki to ask about the last ``options.since`` ns before ``now`` (ns).

    ``failure`` is why it does not answer (and what to do); nothing more is asked then.
    """

    options: LokiOptions
    now: int = field(default_factory=time.time_ns)
    failure: tuple[str, str] = ("", "")
    _answers: dict[tuple[str, ...], Any] = field(default_factory=dict)
    _client: http.LokiClient | None = None

    def version(self) -> str:
        """The version that Loki says it has; "" where it does not say."""
        found = self._json(BUILDINFO_PATH, {}, optional=True)
        return str(found.get("version") or "") if isinstance(found, dict) else ""

    def labels(self) -> frozenset[str]:
        """Every label of every stream."""
        return frozenset(self._data("/loki/api/v1/labels", self._since()) or ())

    def values(self, label: str) -> frozenset[str]:
        """Every value of a label."""
        return frozenset(self._data(f"/loki/api/v1/label/{label}/values", self._since()) or ())

    def has_series(self, selector: str) -> bool:
        """Whether any stream has these labels; True where Loki gives no answer."""
        found = self._data("/loki/api/v1/series", {"match[]": selector, **self._since()})
        return found is None or bool(found)

    def stats(self, selector: str, window: int) -> Stats:
        """What a query over ``window`` ns would read."""
        start = str(self.now - window)
        parameters = {"query": selector, "start": start, "end": str(self.now)}
        found = self._json("/loki/api/v1/index/stats", parameters) or {}
        numbers = {key: int(found.get(key) or 0) for key in ("streams", "bytes", "entries")}
        return Stats(**numbers)

    def largest(self, selector: str, window: int) -> list[tuple[str, int]]:
        """(labels, bytes) of what makes up most of a selector's lines; empty where volumes are switched off."""
        start = str(self.now - window)
        parameters = {"query": selector, "start": start, "end": str(self.now), "limit": "3"}
        found = self._data("/loki/api/v1/index/volume", parameters, optional=True)
        result = found.get("result") if isinstance(found, dict) else None
        volumes = []
        for entry in result if isinstance(result, list) else []:
            labels = ", ".join(f'{name}="{value}"' for name, value in entry.get("metric", {}).items())
            volumes.append((f"{{{labels}}}", int(float(entry["value"][1]))))
        return sorted(volumes, key=lambda item: -item[1])

    def history(self, expression: str, interval: int) -> tuple[list[dict[int, float]], int] | None:
        """The series of an expression over the whole time (time in ns -> value), and the step; None: no answer."""
        step = max(interval, self.options.since // MAX_STEPS // SECOND * SECOND, SECOND)
        parameters = {"query": expression, "step": f"{step // SECOND}s", **self._since()}
        found = self._data("/loki/api/v1/query_range", parameters, optional=True)
        if not isinstance(found, dict) or found.get("resultType") != "matrix":
            return None
        series = [
            {round(float(at) * SECOND): float(value) for at, value in entry.get("values", [])}
            for entry in found.get("result", [])
        ]
        return series, step

    # --- requests ----------------------------------------------------------------------------------------

    def _since(self) -> dict[str, str]:
        return {"start": str(self.now - self.options.since), "end": str(self.now)}

    def _data(self, path: str, parameters: dict[str, str], *, optional: bool = False) -> Any:
        found = self._json(path, parameters, optional=optional)
        return found.get("data") if isinstance(found, dict) else None

    def _json(self, path: str, parameters: dict[str, str], *, optional: bool = False) -> Any:
        key = (path, *(f"{name}={value}" for name, value in sorted(parameters.items())))
        if key not in self._answers:
            self._answers[key] = None if self.failure[0] else self._ask(path, parameters, optional)
        return self._answers[key]

    def _ask(self, path: str, parameters: dict[str, str], optional: bool) -> Any:
        try:
            if self._client is None:
                self._client = http.LokiClient(self.options.url, headers=self.options.headers)
            answer = self._client.request("GET", path, query=parameters)
            if answer.ok:
                return answer.json()
            # What this Loki refuses or does not have is not a failure of the connection.
            if optional or answer.status in (400, 422, 500):
                return None
            raise self._client.unexpected(answer, f"asked for {path}")
        except interface.BackendError as error:
            problem = error.problems[0]
            self.failure = (problem.message, problem.hint)
        except ValueError:
            self.failure = (f"{self.options.url}{path} did not answer in JSON", "is this a Loki?")
        return None

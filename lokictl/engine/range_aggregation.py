"""Range aggregations: what becomes of the samples in a window."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable

from lokictl.engine.extraction import Series
from lokictl.logql import units
from lokictl.logql.units import SECOND
from lokictl.logql.versions import DEFAULT, RATE_COUNTER_UNITS, LokiVersion

Window = Callable[[Series, int, int, int], float]
"""Called with a series, the half-open index range of its samples in the window, and the window's end (ns)."""


def aggregator(
    operation: str,
    parameter: float | None,
    width: int,
    *,
    unwrapped: bool,
    version: LokiVersion = DEFAULT,
) -> Window:
    """The function of one operation over windows of ``width`` nanoseconds."""
    seconds = units.seconds(width)
    if operation == "count_over_time" or (operation == "rate" and not unwrapped):
        if operation == "rate":
            return lambda series, low, high, end: (high - low) / seconds
        return lambda series, low, high, end: float(high - low)
    if operation in ("rate", "bytes_rate"):
        return lambda series, low, high, end: sum_of(series.values, low, high) / seconds
    if operation in ("bytes_over_time", "sum_over_time"):
        return lambda series, low, high, end: sum_of(series.values, low, high)
    if operation == "rate_counter" and version.has(RATE_COUNTER_UNITS):
        return lambda series, low, high, end: extrapolated_rate(series, low, high, end, width)
    if operation == "rate_counter":
        return lambda series, low, high, end: rate_counter(series, low, high, seconds)
    if operation == "first_over_time":
        return lambda series, low, high, end: series.values[low]
    if operation == "last_over_time":
        return lambda series, low, high, end: series.values[high - 1]
    if operation == "quantile_over_time":
        return Quantile(parameter if parameter is not None else math.nan)
    simple = _SIMPLE[operation]
    return lambda series, low, high, end: simple(series.values[low:high])


def sum_of(values: list[float], low: int, high: int) -> float:
    """The sum from left to right."""
    total = 0.0
    for index in range(low, high):
        total += values[index]
    return total


def average(values: list[float]) -> float:
    """A running mean that survives infinities as Loki's does."""
    mean = 0.0
    for count, value in enumerate(values, 1):
        if math.isinf(mean) and ((math.isinf(value) and (value > 0) == (mean > 0)) or math.isfinite(value)):
            continue
        mean += value / count - mean / count
    return mean


def variance(values: list[float]) -> float:
    """The population variance (Welford)."""
    mean = total = 0.0
    for count, value in enumerate(values, 1):
        delta = value - mean
        mean += delta / count
        total += delta * (value - mean)
    return total / len(values)


def deviation(values: list[float]) -> float:
    found = variance(values)
    return math.sqrt(found) if found >= 0 else math.nan


def largest(values: list[float]) -> float:
    best = values[0]
    for value in values:
        if value > best or math.isnan(best):
            best = value
    return best


def smallest(values: list[float]) -> float:
    best = values[0]
    for value in values:
        if value < best or math.isnan(best):
            best = value
    return best


_SIMPLE: dict[str, Callable[[list[float]], float]] = {
    "avg_over_time": average,
    "max_over_time": largest,
    "min_over_time": smallest,
    "stdvar_over_time": variance,
    "stddev_over_time": deviation,
}


class Quantile:
    """``quantile_over_time``: keeps the sorted window of each series, so that a step costs what it changes."""

    def __init__(self, quantile: float) -> None:
        self.quantile = quantile
        self.windows: dict[int, tuple[int, int, list[float]]] = {}
        self.with_nan: dict[int, bool] = {}

    def __call__(self, series: Series, low: int, high: int, end: int) -> float:
        if self.quantile < 0:
            return -math.inf
        if self.quantile > 1:
            return math.inf
        if high - low == 1:
            return self.of_sorted(series.values[low:high])
        return self.of_sorted(self.window(series, low, high))

    def window(self, series: Series, low: int, high: int) -> list[float]:
        known = self.windows.get(id(series))
        values = series.values
        if known is None or known[0] > low or known[1] > high or low >= known[1]:
            ordered = sorted(values[low:high], key=_nan_first)
        else:
            old_low, old_high, ordered = known
            if self.has_nan(series):
                ordered = sorted(values[low:high], key=_nan_first)
            else:
                for value in values[old_low:low]:
                    del ordered[bisect_left(ordered, value)]
                # Two sorted runs, which are merged in one go.
                ordered += values[old_high:high]
                ordered.sort()
        self.windows[id(series)] = (low, high, ordered)
        return ordered

    def has_nan(self, series: Series) -> bool:
        """Whether any sample of the series is NaN; asked once."""
        found = self.with_nan.get(id(series))
        if found is None:
            found = self.with_nan[id(series)] = any(map(math.isnan, series.values))
        return found

    def of_sorted(self, ordered: list[float]) -> float:
        count = len(ordered)
        if count == 1:
            # An infinite value is NaN in Loki, too.
            return ordered[0] * 1.0 + ordered[0] * 0.0
        rank = self.quantile * (count - 1)
        low = max(0, math.floor(rank))
        high = min(count - 1, low + 1)
        weight = rank - math.floor(rank)
        return ordered[low] * (1 - weight) + ordered[high] * weight


def _nan_first(value: float) -> tuple[bool, float]:
    return (False, 0.0) if math.isnan(value) else (True, value)


def rate_counter(series: Series, low: int, high: int, seconds: float) -> float:
    """The increase per second with Loki's extrapolation (whose units are mixed up, see the tests)."""
    count = high - low
    if count < 2:
        return 0.0
    first, increase = series.values[low], _increase(series.values, low, high)
    sampled = (series.times[high - 1] - series.times[low]) / 1000
    mean_gap = sampled / (count - 1)
    to_start = seconds
    if increase > 0 and first >= 0:
        to_start = min(to_start, sampled * first / increase)
    threshold = mean_gap * 1.1
    extended = sampled
    extended += to_start if to_start < threshold else mean_gap / 2
    extended += 0.0 if threshold > 0.0 else mean_gap / 2
    if sampled == 0:
        return math.nan
    return increase * (extended / sampled) / seconds


def _increase(values: list[float], low: int, high: int) -> float:
    """What a counter gained, resets counted in."""
    increase = values[high - 1] - values[low]
    last = 0.0
    for index in range(low, high):
        if values[index] < last:
            increase += last
        last = values[index]
    return increase


def extrapolated_rate(series: Series, low: int, high: int, end: int, width: int) -> float:
    """The increase per second, extrapolated to the edges of the window as Prometheus does it."""
    count = high - low
    if count < 2:
        return 0.0
    first, increase = series.values[low], _increase(series.values, low, high)
    times = series.times
    sampled = (times[high - 1] - times[low]) / SECOND
    to_start, to_end = (times[low] - (end - width)) / SECOND, (end - times[high - 1]) / SECOND
    mean_gap = sampled / (count - 1)
    to_start, to_end = (
        distance if distance < mean_gap * 1.1 else mean_gap / 2 for distance in (to_start, to_end)
    )
    if increase > 0 and first >= 0:
        to_start = min(to_start, sampled * first / increase)
    extended = sampled + to_start + to_end
    return increase * (extended / sampled) / (width / SECOND) if sampled else math.nan


def window_bounds(times: list[int], end: int, width: int) -> tuple[int, int]:
    """The samples in ``(end - width, end]`` as a half-open index range."""
    low = bisect_right(times, end - width)
    return low, bisect_right(times, end, low)

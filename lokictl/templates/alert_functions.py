"""The functions of the ruler's templates: labels and annotations of alerts."""

from __future__ import annotations

import ipaddress
import math
import re
from typing import Any

from lokictl.durations import SECOND
from lokictl.lazy import lazy_pattern
from lokictl.logql.units import format_float, parse_float, parse_prometheus_duration, quote
from lokictl.templates.errors import FunctionError
from lokictl.templates.formatting import query_escape
from lokictl.templates.functions import Function
from lokictl.templates.pipeline_functions import lower, upper
from lokictl.templates.regular_expressions import compile_go, replace_all
from lokictl.templates.times import Time
from lokictl.templates.values import Duration, QueryResult, Sample, to_bytes, type_name


def number(value: Any) -> float:
    """The float that a number or a string is.  Raises `FunctionError` for anything else."""
    if isinstance(value, str):
        try:
            return parse_float(value)
        except ValueError as error:
            raise FunctionError(str(error)) from None
    if isinstance(value, Duration):
        return value / SECOND
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FunctionError(f"can't convert {type_name(value)} to float")
    return float(value)


def four(value: float) -> str:
    """``%.4g``"""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return f"{value:.4g}"


def humanize(value: Any) -> str:
    """A number with a metric prefix: ``1.235M``."""
    amount = number(value)
    if amount == 0 or not math.isfinite(amount):
        return four(amount)
    prefix = ""
    if abs(amount) >= 1:
        for candidate in "kMGTPEZY":
            if abs(amount) < 1000:
                break
            prefix = candidate
            amount /= 1000
        return four(amount) + prefix
    for candidate in "munpfazy":
        if abs(amount) >= 1:
            break
        prefix = candidate
        amount *= 1000
    return four(amount) + prefix


def humanize1024(value: Any) -> str:
    """A number with a binary prefix: ``1.177Mi``."""
    amount = number(value)
    if not math.isfinite(amount) or abs(amount) <= 1:
        return four(amount)
    prefix = ""
    for candidate in ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"):
        if abs(amount) < 1024:
            break
        prefix = candidate
        amount /= 1024
    return four(amount) + prefix


def humanize_duration(value: Any) -> str:
    """Seconds as ``1d 2h 3m 4s``, or with a metric prefix below one second."""
    seconds = number(value)
    if not math.isfinite(seconds):
        return four(seconds)
    if seconds == 0:
        return four(seconds) + "s"
    if abs(seconds) < 1:
        prefix = ""
        for candidate in "munpfazy":
            if abs(seconds) >= 1:
                break
            prefix = candidate
            seconds *= 1000
        return four(seconds) + prefix + "s"
    sign, magnitude = ("-", -seconds) if seconds < 0 else ("", seconds)
    if magnitude >= 2.0**63:
        # More seconds than an int64 holds become the most negative one.
        return f"{sign}-106751991167300d -15h -30m -8s"
    whole = int(magnitude)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {whole % 60}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {whole % 60}s"
    if minutes:
        return f"{sign}{minutes}m {whole % 60}s"
    return f"{sign}{four(magnitude)}s"


def to_time(value: Any) -> Time:
    """A time from seconds, truncated to milliseconds."""
    seconds = number(value)
    if not math.isfinite(seconds):
        raise FunctionError("value is NaN or Inf")
    nanoseconds = seconds * 1e9
    if not -(2.0**63) <= nanoseconds < 2.0**63:
        raise FunctionError(
            f"{format_float(seconds, exponent_from=6)} cannot be represented as a nanoseconds timestamp "
            "since it overflows int64"
        )
    milliseconds = int(int(nanoseconds) / 1_000_000)
    return Time(milliseconds * 1_000_000)


def humanize_timestamp(value: Any) -> str:
    """Seconds as the text of a time."""
    seconds = number(value)
    return four(seconds) if not math.isfinite(seconds) else str(to_time(seconds))


def to_duration(value: Any) -> Duration:
    """Seconds as a duration; what does not fit into one is the most negative one, as on x86-64."""
    nanoseconds = number(value) * 1e9
    fits = math.isfinite(nanoseconds) and -(2.0**63) <= nanoseconds < 2.0**63
    return Duration(int(nanoseconds) if fits else -(1 << 63))


def parse_duration(text: str) -> float:
    """The seconds of a Prometheus duration, with a sign or without."""
    unsigned = text[1:] if text[:1] in ("-", "+") and text[:1] else text
    if not text:
        raise FunctionError("empty duration string")
    if unsigned == "0":
        return 0.0
    try:
        nanoseconds = parse_prometheus_duration(unsigned)
    except ValueError as error:
        message = f"not a valid duration string: {quote(text)}"
        raise FunctionError("duration out of range" if "out of range" in str(error) else message) from None
    return (-nanoseconds if text[0] == "-" else nanoseconds) / SECOND


def parse_unsigned_duration(text: str) -> float:
    """As `parse_duration`, in Lokis that take no sign."""
    if text[:1] in ("-", "+"):
        raise FunctionError(f"not a valid duration string: {quote(text)}")
    return parse_duration(text)


def split_host_port(text: str) -> tuple[str, str] | None:
    """``net.SplitHostPort``; None where it fails."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or not rest.startswith(":") or ":" in rest[1:] or "[" in host:
            return None
        port = rest[1:]
    else:
        host, colon, port = text.rpartition(":")
        if not colon or ":" in host or "[" in host or "]" in host:
            return None
    return None if "[" in port or "]" in port else (host, port)


def strip_port(text: str) -> str:
    """The host of ``host:port``; any other text unchanged."""
    parts = split_host_port(text)
    return parts[0] if parts else text


def strip_domain(text: str) -> str:
    """The first part of a host's name, its port kept; addresses unchanged."""
    host, port = split_host_port(text) or (text, "")
    try:
        ipaddress.ip_address(host)
        return text
    except ValueError:
        short = host.split(".")[0]
        return f"{short}:{port}" if port else short


_WORD = lazy_pattern(r"\w+(?:['’.:·]\w+)*")


def title(text: str) -> str:
    """The first letter of each word in title case, the rest unchanged."""

    def initial(matched: re.Match[str]) -> str:
        word = matched.group()
        for index, letter in enumerate(word):
            if letter.isalpha():
                titled = letter.title()
                return word[:index] + (titled if len(titled) == 1 else letter) + word[index + 1 :]
        return word

    return _WORD.sub(initial, text)


def _first(result: QueryResult | None) -> Sample:
    if result is None or not result.samples:
        raise FunctionError("first() called on vector with no elements")
    return result.samples[0]


def _sorted(label: str, result: QueryResult) -> QueryResult:
    return QueryResult(sorted(result.samples, key=lambda sample: to_bytes(sample.labels.get(label, ""))))


def _match(pattern: str, text: str) -> bool:
    return compile_go(pattern).matches(to_bytes(text))


def _replaced(pattern: str, replacement: str, text: str) -> str:
    try:
        return replace_all(pattern, text, replacement)
    except FunctionError as error:
        raise FunctionError(f"regexp: Compile({_backquoted(pattern)}): {error}") from None


def _backquoted(text: str) -> str:
    return f"`{text}`" if "`" not in text and text.isprintable() else quote(text)


_S = "string"
_SAMPLE = "*template.sample"
_RESULT = "template.queryResult"

FUNCTIONS: dict[str, Function] = {
    "first": Function(_first, (_RESULT,)),
    "label": Function(lambda name, sample: sample.labels.get(name, ""), (_S, _SAMPLE)),
    "value": Function(lambda sample: sample.value, (_SAMPLE,)),
    "strvalue": Function(lambda sample: sample.labels.get("__value__", ""), (_SAMPLE,)),
    "sortByLabel": Function(_sorted, (_S, _RESULT)),
    "args": Function(lambda *values: {f"arg{i}": value for i, value in enumerate(values)}, (), "any"),
    "reReplaceAll": Function(_replaced, (_S, _S, _S)),
    "match": Function(_match, (_S, _S)),
    "title": Function(title, (_S,)),
    "toUpper": Function(upper, (_S,)),
    "toLower": Function(lower, (_S,)),
    "stripPort": Function(strip_port, (_S,)),
    "stripDomain": Function(strip_domain, (_S,)),
    "safeHtml": Function(lambda text: text, (_S,)),
    "graphLink": Function(lambda expr: f"/graph?g0.expr={query_escape(expr)}&g0.tab=0", (_S,)),
    "tableLink": Function(lambda expr: f"/graph?g0.expr={query_escape(expr)}&g0.tab=1", (_S,)),
    "urlQueryEscape": Function(query_escape, (_S,)),
    "humanize": Function(humanize, ("any",)),
    "humanize1024": Function(humanize1024, ("any",)),
    "humanizeDuration": Function(humanize_duration, ("any",)),
    "humanizePercentage": Function(lambda value: four(number(value) * 100) + "%", ("any",)),
    "humanizeTimestamp": Function(humanize_timestamp, ("any",)),
    "toTime": Function(to_time, ("any",)),
    "toDuration": Function(to_duration, ("any",)),
    "parseDuration": Function(parse_duration, (_S,)),
}
"""All but ``query``, ``now``, ``externalURL`` and ``pathPrefix``, which each expansion brings along."""

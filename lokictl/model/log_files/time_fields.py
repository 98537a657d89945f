"""The names that logging libraries give the time of a line."""

from __future__ import annotations

TIME_FIELDS = (
    *("timestamp", "ts", "time", "@timestamp", "t", "date", "datetime", "eventTime", "asctime"),
    *("Timestamp", "Time", "TimeStamp", "timeStamp", "@t", "DateTime", "dateTime", "date_time", "event_time"),
    *("log_time", "logtime", "log_timestamp", "logged_at", "created_at", "createdAt", "occurred_at"),
    *("__REALTIME_TIMESTAMP", "_SOURCE_REALTIME_TIMESTAMP", "timeMillis", "instant", "timeUnixNano"),
    *("requestReceivedTimestamp", "stageTimestamp", "lastTimestamp", "firstTimestamp", "receiveTimestamp"),
    *("time_iso8601", "time_local", "msec", "StartUTC", "EdgeStartTimestamp", "published", "TimeGenerated"),
    *("observedTimeUnixNano", "@timestamp_ns", "epoch", "unixtime", "unix_time"),
)
"""Names of fields that hold a line's time, in JSON and logfmt; an earlier name wins over a later one."""

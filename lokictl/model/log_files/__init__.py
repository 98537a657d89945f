"""Log lines as they lie on disk: text with a time, JSON, container logs, exports, compressed or not.

::

    reader = LogReader("app.log.gz", default_time=time.time_ns())
    for line in reader:                       # one at a time: files may be larger than memory
        print(line.timestamp, line.line, line.labels)
    if reader.without_time: ...               # lines that got default_time
"""

from lokictl.model.log_files.formats import FORMATS, LogFormat, LogLine
from lokictl.model.log_files.reading import LogReader, iterate_log_file, parse_log_lines, read_log_file
from lokictl.model.log_files.time_fields import TIME_FIELDS

__all__ = [
    "FORMATS",
    "TIME_FIELDS",
    "LogFormat",
    "LogLine",
    "LogReader",
    "iterate_log_file",
    "parse_log_lines",
    "read_log_file",
]

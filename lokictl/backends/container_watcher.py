"""Removes a container when the process that started it is gone: run as a program, with the container's name and folder.

Its input is a pipe from that process: "done" says that the container has been removed in order; the end of the pipe
without it, that the process was killed.  Imports nothing of ours, so that it starts at once.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import time

ATTEMPTS = 10
"""How often a container is looked for: the daemon may be making it at the moment when its run ends."""


def remove(name: str) -> None:
    """Removes the container ``name``, also if it is only just being made."""
    import docker  # noqa: PLC0415 - slow to import, and only containers need it
    from docker.errors import DockerException, NotFound  # noqa: PLC0415 - slow to import, and only containers need it

    with contextlib.closing(docker.from_env()) as client:
        for attempt in range(ATTEMPTS):
            try:
                client.containers.get(name).remove(force=True, v=True)
                return
            except NotFound:
                if attempt > ATTEMPTS // 2:
                    return
            except DockerException:
                pass
            time.sleep(0.5)


def main(name: str, folder: str) -> None:
    """Waits for the end of the input."""
    if sys.stdin.buffer.read() == b"done":
        return
    try:
        remove(name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

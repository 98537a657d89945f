"""A Loki over HTTP that the embedded engine answers for, and the command line."""

from tests.backends.conftest import fake_loki, serve
from tests.cli.conftest import lokictl

__all__ = ["fake_loki", "lokictl", "serve"]

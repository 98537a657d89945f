"""PyYAML, without compiling the patterns of its loader in Python: that takes longer than importing all the rest.

libyaml reads our files, so few of these patterns are ever used.
"""

from __future__ import annotations

from lokictl.lazy import patterns_compiled_later

with patterns_compiled_later():
    import yaml
    from yaml.composer import Composer, ComposerError

__all__ = ["Composer", "ComposerError", "yaml"]

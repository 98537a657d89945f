"""The pytest plugin: collects rule test files."""

# Every target makes its own virtual environment in .venv; nothing else needs to be set up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

LOCK := requirements.lock

.PHONY: check test test-fast test-browser test-newest test-lowest lint typecheck format tables docs dist coverage bench lock clean

check: $(STAMP)  ## the main job: lint, test and render the content project
	$(BIN)/lokictl check

test: lint typecheck  ## the project's own tests, style and types included
	$(BIN)/pytest -n auto

test-fast: $(STAMP)  ## the tests without those marked slow
	$(BIN)/pytest -n auto -m "not slow"

test-browser: $(STAMP)  ## every dashboard and every link in a real Grafana, with a headless Chromium
	$(BIN)/pytest -m browser tests/browser

test-newest: PACKAGES = newest
test-lowest: PACKAGES = lowest
test-newest test-lowest:  ## the tests with the newest, with the lowest versions of every package that pyproject.toml allows
	$(PYTHON) -m venv --clear .venv-$(PACKAGES)
	.venv-$(PACKAGES)/bin/pip install --quiet --disable-pip-version-check uv
	.venv-$(PACKAGES)/bin/uv pip install --quiet --python .venv-$(PACKAGES) \
	  --resolution $(if $(filter lowest,$(PACKAGES)),lowest-direct,highest) --requirement pyproject.toml --all-extras --group test --editable .
	.venv-$(PACKAGES)/bin/pytest -n auto

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(STAMP)
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

tables: $(STAMP)  ## the parser's tables, from the grammar
	$(BIN)/python -m lokictl.logql.lalr

docs: $(STAMP)  ## the documentation site, in build/site; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

dist: $(STAMP)  ## the wheel and the source distribution, checked
	rm -rf dist
	$(BIN)/python -m hatchling build
	$(BIN)/twine check --strict dist/*

coverage: $(STAMP)  ## the tests with branch coverage; fails under the share in pyproject.toml
	$(BIN)/pytest -n auto --cov --cov-report=term:skip-covered

bench: $(STAMP)  ## the benchmarks; each prints a ratio measured side by side
	$(BIN)/python -m benchmarks

lock:  ## renews the versions and hashes that every target installs
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet --disable-pip-version-check --upgrade uv
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-header \
	  --all-extras --group dev --output-file $(LOCK) pyproject.toml

clean:
	rm -rf build dist $(VENV) .venv-newest .venv-lowest .venv-lock .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Everything comes from the lock with its hash, the build backend included, so that a clone of any day is the same set-up.
$(STAMP): pyproject.toml $(LOCK)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "lokictl needs Python 3.11 or newer; say which with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement $(LOCK)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

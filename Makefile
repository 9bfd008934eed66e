# make demo, make test: all that a machine with Python 3.11 or newer needs.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
BENCH := .venv-bench
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# the tests start hundreds of processes: each would compile everything again
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test coverage lint bench fuzz crash docs lock
.DEFAULT_GOAL := demo

demo: $(READY)
	@$(BIN)/segmentd demo

test: $(READY)
	$(BIN)/pytest -q -n auto --maxprocesses 4 --dist worksteal

# the same tests, and which lines they run: that takes nearly twice as long
coverage: $(READY)
	@$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -n auto --maxprocesses 4 --dist worksteal
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# PARTS: see "python -m benchmarks --help"; SIZE=1M takes an hour and 8 GB under benchmarks/.data
SIZE ?= 10k 200k
PARTS ?=

bench: $(BENCH)/.ready
	PYTHONPATH=tests $(BENCH)/bin/python -m benchmarks $(PARTS) --size $(SIZE)

# An environment of its own: what we are compared with must not come near our own tests.
$(BENCH)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --no-compile --require-hashes -r requirements.lock
	$(BENCH)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@for each in 'dlt[sqlalchemy]>=1.31' 'duckdb>=1.2' 'polars>=1.20'; do \
	  $(BENCH)/bin/python -m pip install --quiet "$$each" || \
	  echo "$$each cannot be installed here: its figures are left out"; done
	@touch $@

fuzz: $(READY)
	PYTHONPATH=tests $(BIN)/python -m benchmarks.fuzz --minutes 10

# needs strace
crash: $(READY)
	PYTHONPATH=tests $(BIN)/python -m benchmarks.crash

docs: $(READY)
	$(BIN)/python -m segmentd.segmenter.reference docs/rules.md
	$(BIN)/pytest -q tests/test_docs.py

# Everything in the lock is pinned by hash and carries no address: pip asks whatever index it is
# told to. The build backend is in it too, so that our own package needs no isolated build. Python
# compiles what it imports; to compile all that is installed takes pip half a minute.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "segmentd needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# needs uv (https://docs.astral.sh/uv/) on the PATH
lock:
	echo '# Made by "make lock" from pyproject.toml.' > requirements.lock
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --extra test --generate-hashes \
	  --no-annotate --no-header --no-emit-index-url --no-emit-find-links pyproject.toml >> requirements.lock

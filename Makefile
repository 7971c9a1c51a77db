# `make run` and `make test` do everything on a fresh machine; a second call does no set-up work.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test lab bench lock reference clean

run: $(READY)  ## run every notebook against a real server and write the post-mortem
	$(BIN)/labserver run --profile ci

test: $(READY)  ## every check: lint, types, import directions, notebook hygiene, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/nbstripout --verify notebooks/*.ipynb
	$(BIN)/pytest --cov --cov-report=term

lab: $(READY)  ## open JupyterLab on the notebooks
	$(BIN)/jupyter lab --notebook-dir=notebooks

bench: $(READY)  ## timings, as ratios measured side by side in one run
	$(BIN)/python tests/bench/service_overhead.py

reference: $(READY)  ## refresh outputs/reference from a run with the incident's own durations (about 30 minutes)
	$(BIN)/labserver run --profile seed
	$(BIN)/labserver report --format md --to outputs/reference

lock: $(READY)  ## compile pyproject.toml into the universal, hashed lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra notebooks --extra dev \
	  --custom-compile-command 'make lock' --output-file requirements.txt pyproject.toml

clean:  ## remove the environment and everything that is made
	rm -rf $(VENV) outputs/runs build dist .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "labserver needs Python 3.11 or newer: set PYTHON, for example 'make $(MAKECMDGOALS) PYTHON=python3.12'." >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# `make run` and `make test` do everything on a fresh machine; a second call does no set-up work.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# These walk the heap of their own process again and again: nothing else is imported there.
HEAPS := tests/unit/heap tests/unit/diagnosis tests/unit/plugins
# Notebooks that must fail, be killed, or keep the rules: no claim in them is about time.
UNTIMED := $(addprefix tests/notebooks/test_, hygiene.py kills.py mutated.py mutated_times.py)

# Two commands at the same time; what mostly waits goes first. Both are waited for, and both must succeed.
beside = $(1) & other=$$!; $(2); ours=$$?; wait $$other && exit $$ours

.PHONY: run test test-pythons docs cover lab bench bench-service bench-check bench-heap bench-install bench-kinds bench-libraries bench-verdict bench-verdict-peers soak peers lock figures reference clean

run: $(READY)  ## run every notebook against a real server and write the post-mortem
	$(BIN)/labserver run --profile ci

test: $(READY)  ## every check: lint, types, import directions, notebook hygiene, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/nbstripout --verify notebooks/*.ipynb
	$(call beside,$(BIN)/pytest -n 1 $(UNTIMED),\
	  $(BIN)/pytest -n 2 --dist loadfile $(HEAPS:%=--ignore=%) tests/unit tests/integration)
# The whole story, whose claims about time hold beside two busy processes; the walks over heaps and the browsers are these,
# and give way.
	$(call beside,$(BIN)/pytest $(UNTIMED:%=--ignore=%) tests/notebooks,{ \
	  nice -n 15 $(BIN)/pytest -n 2 --dist loadfile $(HEAPS) && \
	  nice -n 15 $(BIN)/pytest -n 2 --dist loadfile tests/browser tests/contract; })

test-pythons: $(READY)  ## on every CPython that is found: the wheel with each extra, and what looks into the interpreter
	$(BIN)/nox --sessions packages pythons notebooks

docs: $(READY)  ## the pages under docs/build, offline; a warning is an error
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -c docs . docs/build/html

cover: $(READY)  ## which lines the quick tests run
	$(BIN)/pytest -n 2 --dist loadfile --cov --cov-report=term tests/unit tests/integration

lab: $(READY)  ## open JupyterLab on the notebooks; the runs are beside them
	$(BIN)/jupyter lab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks

bench: bench-service bench-check bench-heap bench-kinds  ## timings, as ratios measured side by side in one run; and other tools beside ours

bench-service: $(READY)  ## what the service costs above bare views
	$(BIN)/python tests/bench/service_overhead.py

bench-check: $(READY)  ## what a check costs the server
	$(BIN)/python tests/bench/check_cost.py

bench-heap: $(READY) peers  ## what a look at the heap costs, beside guppy3, objgraph and pympler
	$(BIN)/python tests/bench/heap_graph.py
	$(BIN)/python tests/bench/heap_graph.py --robustness

bench-install: $(READY)  ## size, dependencies and import time of an installation beside other tools, in environments of their own
	$(BIN)/python tests/bench/install_size.py

bench-kinds: $(READY) peers  ## every kind of holder, beside the same
	$(BIN)/python tests/bench/holder_kinds.py

bench-libraries: $(READY)  ## a leaky and a clean application beside each of nearly eighty libraries (ONLY one of them), in environments of their own
	$(BIN)/python tests/bench/libraries.py $(ONLY:%=--only %)

bench-verdict: $(READY)  ## how often a check is right: 200,000 simulated servers, then real ones (RUNS of each, ONLY some), and what they say held against itself; hours
	$(if $(ONLY),,$(BIN)/python tests/bench/verdict_simulate.py --runs 100000)
	$(BIN)/python tests/bench/verdict_real.py --runs $(or $(RUNS),3) $(ONLY:%=--only %)
	$(BIN)/python tests/bench/verdict_consistency.py outputs/runs/verdict_real

bench-verdict-peers: $(READY)  ## some of the real ones through other tools, in environments of their own (ONLY some); two hours
	$(BIN)/python tests/bench/verdict_peers.py $(ONLY:%=--only %)

soak: $(READY)  ## hostile requests and load for two stores; then 200 looks at an application in each difficult circumstance, and 1,000 attachments
	$(BIN)/python tests/soak/hostile_requests.py
	$(BIN)/python tests/soak/hostile_load.py
	$(BIN)/python tests/soak/harmlessness.py
	$(BIN)/python tests/soak/attach.py

peers: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check guppy3 pympler

reference: $(READY)  ## refresh outputs/reference from a run with the incident's own durations (about 45 minutes)
	$(BIN)/labserver run --profile seed
	$(BIN)/labserver report --format md --format card --notebooks --to outputs/reference

figures: $(READY)  ## draw the figures of how a check decides anew, from checks of simulated servers
	$(BIN)/python tests/bench/decision_figures.py

lock: $(READY)  ## compile pyproject.toml into the universal, hashed lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-strip-extras --python-version 3.11 --extra notebooks --extra dev \
	  --custom-compile-command 'make lock' --output-file requirements.txt pyproject.toml

clean:  ## remove the environment and everything that is made
	rm -rf $(VENV) outputs/runs build dist docs/build .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "labserver needs Python 3.11 or newer: set PYTHON, for example 'make $(MAKECMDGOALS) PYTHON=python3.12'." >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

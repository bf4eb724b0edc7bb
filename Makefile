# The two commands are `make run` and `make test`; `make help` lists the rest.
SHELL := bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help
help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | column -t -s "$$(printf '\t')"

.PHONY: run
run: ## install what is missing, build the demonstration city, start the three desks
	@scripts/setup run
	@exec $(BIN)/onegrid up

.PHONY: setup
setup: ## install what is missing for development and tests
	@scripts/setup test

.PHONY: check
check: setup ## lint, types, layer contract, formatting, hygiene
	@scripts/check

.PHONY: test
test: setup ## the whole suite, on its own throw-away cluster
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

.PHONY: bench
bench: setup ## the measured claims beside their peers (installs the peers; takes an hour)
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements/bench.txt
	$(BIN)/python -m benchmarks.partition

.PHONY: prove
prove: setup ## what is long by nature, in parts that go on where they were (PART=name: one)
	$(BIN)/python -m benchmarks.prove $(PART)

.PHONY: wheel
wheel: setup ## a wheel that carries the browser assets, for a closed network
	$(BIN)/python -m hatchling build -t wheel

.PHONY: lock
lock: setup ## renew the pinned versions (needs the package registries)
	@scripts/lock

.PHONY: clean
clean: ## remove environments and build products (the state in .onegrid stays)
	rm -rf grids/kernels/__pycache__ $(VENV) node_modules maps/static/vendor dist .mypy_cache .ruff_cache .pytest_cache

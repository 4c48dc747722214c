# `make demo` and `make test` are the two commands that matter; `make help` lists the rest.
# Needed: make, and Python 3.11 or newer with venv. Everything else goes into .venv, at the locked versions.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help install demo test test-all test-crash test-pooler test-hypopg test-web screenshots check bench bench-peers build lock clean
.DELETE_ON_ERROR:
.NOTPARALLEL:

VENV := .venv
PY := $(VENV)/bin/python
STAMPS := $(VENV)/.stamps
ARGS ?=

# The first Python that will do, unless PYTHON says which.
SUITABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c '$(SUITABLE)' >/dev/null 2>&1 && { echo "$$python"; break; }; done)

# Without build isolation the lock also pins what builds the package.
PIP_INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check --no-input --constraint requirements.lock
INSTALL := $(PIP_INSTALL) --no-build-isolation --editable

# What pytest compiles is kept, also where the environment forbids it: to read and rewrite hundreds of modules anew takes
# as long as hundreds of tests, and the first process does so before there is any other.
test test-all test-crash test-pooler test-hypopg test-web: export PYTHONDONTWRITEBYTECODE :=

SYNCS := PENSTOCK_CRASH_SEEDS=200 $(PY) -m pytest tests/crash/test_syncs.py --override-ini faulthandler_timeout=3600

help:  ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name what; do \
		printf '%-22s %s\n' "  $$name" "$$what"; done
	@echo 'ARGS passes options on: make test ARGS="-k store", make demo ARGS=--json. PYTHON=… says which Python a new .venv gets.'

install: $(STAMPS)/dev  ## make .venv with all that development needs

demo: $(STAMPS)/demo  ## synchronise 2,000 people into a real SCIM server, and watch
	@$(VENV)/bin/penstock demo $(ARGS)

test: $(STAMPS)/test  ## run the default suite, on SQLite and on a real PostgreSQL
	$(PY) -m pytest --numprocesses 4 --dist worksteal $(ARGS)

test-all: $(STAMPS)/test  ## run what `make test` leaves out as well: every connector, fault and example in every variant
	PENSTOCK_TEST_ALL=1 $(PY) -m pytest --numprocesses 3 --dist worksteal $(ARGS)

test-crash: $(STAMPS)/test  ## kill -9 workers, enqueuers, trials and syncs, 50 times over 200,000 jobs and in 200 seeds, pause those who hold a key, and print what came of it
	PENSTOCK_CRASH_KILLS=50 PENSTOCK_CRASH_JOBS=200000 $(PY) -m pytest tests/crash/test_ledger.py tests/crash/test_trials.py \
		--override-ini faulthandler_timeout=3600 $(ARGS)
	PENSTOCK_TEST_ALL=1 PENSTOCK_CRASH_ACQUIRES=100000 PENSTOCK_CRASH_ACQUIRES_KILLS=20 $(PY) -m pytest \
		tests/crash/test_serial_key.py --override-ini faulthandler_timeout=7200 $(ARGS)
	@# One after the other, the syncs would wait for their servers half of the time.
	$(SYNCS) -k ads $(ARGS) & ads=$$!; $(SYNCS) -k directory $(ARGS); directory=$$?; wait $$ads && exit $$directory

test-pooler: $(STAMPS)/test  ## run the suite behind a pgbouncer, which has to be installed; REQUIRE=1 fails where it is not
	@REQUIRE="$(REQUIRE)" $(PY) -m pytest tests/pooler $(ARGS)

test-hypopg: $(STAMPS)/test  ## run what needs HypoPG, which has to be installed; REQUIRE=1 fails where it is not
	@REQUIRE="$(REQUIRE)" $(PY) -m pytest tests/hypopg $(ARGS)

test-web: $(STAMPS)/test  ## walk the dashboard in a Chromium, which has to be installed; REQUIRE=1 fails where it is not
	@REQUIRE="$(REQUIRE)" $(PY) -m pytest tests/browser $(ARGS)

screenshots: $(STAMPS)/test  ## make docs/images anew, in a Chromium, which has to be installed
	@$(PY) -m tools.screenshots $(ARGS)

check: $(STAMPS)/dev  ## lint, types, floors, documentation
	$(PY) -m ruff check .
	$(PY) -m mypy src bench tools
	$(VENV)/bin/lint-imports --no-logo
	$(PY) tools/check_docs.py

bench: $(STAMPS)/test  ## run a benchmark: make bench ARGS="diff --quick"
	@$(PY) -m bench $(ARGS)

bench-peers: $(STAMPS)/test  ## build the venvs of the queues that ours is measured against, into bench/.peers
	@$(PY) -m bench.peers $(ARGS)

build: $(STAMPS)/dev  ## build the source archive, and from it the wheel, into dist
	$(PY) -m build --no-isolation

lock: $(STAMPS)/venv  ## renew requirements.lock; ARGS=--upgrade moves every pin
	$(PIP_INSTALL) uv
	$(PY) -m uv pip compile --quiet --universal --python-version 3.11 --all-extras \
		--custom-compile-command 'make lock' --output-file requirements.lock $(ARGS) pyproject.toml

clean:  ## remove .venv and everything else that can be made again
	rm -rf $(VENV) bench/.peers dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests bench tools examples -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# Stamps. One per set of extras, out of date when pyproject.toml, the lock or the venv is newer: so a second run
# installs nothing, and a run that needs other extras adds what is missing.

$(STAMPS)/demo: pyproject.toml requirements.lock $(STAMPS)/builder
	@echo 'Installing Penstock and what the demo needs into $(VENV) …'
	@$(INSTALL) '.[demo,postgres]'
	@touch $@

$(STAMPS)/test: pyproject.toml requirements.lock $(STAMPS)/builder
	@echo 'Installing Penstock and what the tests need into $(VENV) …'
	@$(INSTALL) '.[test]'
	@touch $(STAMPS)/demo $@

$(STAMPS)/dev: pyproject.toml requirements.lock $(STAMPS)/builder
	@echo 'Installing Penstock and what development needs into $(VENV) …'
	@$(INSTALL) '.[dev]'
	@touch $(STAMPS)/demo $(STAMPS)/test $@

$(STAMPS)/builder: requirements.lock $(STAMPS)/venv
	@$(PIP_INSTALL) hatchling editables
	@touch $@

# A venv cannot be moved, nor outlive its Python: one that was made elsewhere, or that no longer runs, is made anew.
ifneq ($(shell $(PY) -c '' 2>/dev/null && cat $(STAMPS)/venv 2>/dev/null),$(CURDIR))
.PHONY: $(STAMPS)/venv
endif
$(STAMPS)/venv:
	@python="$(PYTHON)"; "$${python:-false}" -c '$(SUITABLE)' 2>/dev/null || { \
		echo "Penstock needs Python 3.11 or newer with venv (Debian: python3-venv)$${python:+, and $$python is not that}." \
			"Install one, or say where it is: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }; \
	echo "Making $(VENV) with $$("$$python" --version) …"; \
	"$$python" -m venv --clear $(VENV) && mkdir -p $(STAMPS) && echo '$(CURDIR)' > $@

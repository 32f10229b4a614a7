# Every target makes its own virtual environment: nothing but Python 3.11 (or later) and make is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SEEDS ?= 200
WORKERS ?= auto
TOOLS := chromium pdftoppm zbarimg curl openssl
FONT := /usr/share/fonts/truetype/bizud-gothic
PACKAGES := python3-venv curl openssl chromium poppler-utils zbar-tools fonts-morisawa-bizud-gothic fonts-noto-cjk postgresql mosquitto libfaketime

.DEFAULT_GOAL := help
.PHONY: help demo test lint format simulate faults flips functions bench intake packages tools lock clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(VENV)/ready: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Daicho needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Remedy: make PYTHON=python3.11 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "Remedy on Debian: apt-get install python3-venv"; exit 1; }
	@echo "setting up $(VENV) (once, about a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[apps,test]'
	@touch $@

demo: $(VENV)/ready ## four nodes, a week of relief supplies, a status page; stays up until Ctrl-C
	$(BIN)/daicho demo

test: tools $(VENV)/ready ## all tests (once before: sudo make packages)
	$(BIN)/python -m pytest -n $(WORKERS)

lint: $(VENV)/ready ## style, types and the floors of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/ready ## lay the code out
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

simulate: $(VENV)/ready ## whole clusters under faults from seeds: make simulate SEEDS=1000
	$(BIN)/python -m tests.simulator --seeds $(SEEDS) --mutants

faults: $(VENV)/ready ## every fault on real processes under ten writes a second: kills, partitions, disks, clocks, attackers
	$(BIN)/python -m tests.faults

flips: $(VENV)/ready ## 2,000 random single-byte changes each of what the demo leaves: archives, data, values (an hour)
	rm -rf build/flips && $(BIN)/daicho demo --once --data build/flips
	DAICHO_FLIPS=2000 DAICHO_FLIPS_DEMO=$(CURDIR)/build/flips $(BIN)/python -m pytest -s -n 0 tests/audit/test_flips.py

functions: $(VENV)/ready ## the function table of the applications: id, behaviour, tests, missing
	$(BIN)/python -m tests.functions

bench: $(VENV)/ready ## the benchmarks in short (three minutes) and a page of them; all: daicho bench --help
	$(BIN)/daicho bench quick

intake: $(VENV)/ready ## readings of 10,000 households for a day and of 300 for a year, on four nodes (hours)
	$(BIN)/daicho bench intake day
	$(BIN)/daicho bench intake year

packages: ## as root: the Debian packages that the tests need (browser, PDF and QR tools, fonts, PostgreSQL, Mosquitto)
	@apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PACKAGES) >/dev/null

lock: ## pin every dependency of a server again, with its hashes (requirements.lock)
	$(PYTHON) -m venv build/lock && build/lock/bin/pip install --quiet --disable-pip-version-check uv
	build/lock/bin/uv pip compile setup.cfg --extra apps --extra mqtt --generate-hashes --universal \
		--python-version 3.11 --no-header --quiet --upgrade --output-file requirements.lock

tools:
	@for tool in $(TOOLS); do command -v $$tool >/dev/null 2>&1 || { echo "The tests need $$tool. Remedy on Debian: sudo make packages"; exit 1; }; done
	@test -e $(FONT) || { echo "The tests need a Japanese font. Remedy on Debian: sudo make packages"; exit 1; }

clean: ## remove what the targets made
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Every command of the project. All of them work in .venv/, which the first call makes.
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/runtime-installed
DEV := $(VENV)/dev-installed
PROJECT := setup.cfg pyproject.toml

# A stamp holds the Python that made the environment. That one stays in use until the caller names
# another with PYTHON=, for which the environment is made anew.
INSTALLED := $(shell cat $(RUNTIME) 2>/dev/null)
PYTHON ?= $(or $(INSTALLED),python3)
ifneq ($(INSTALLED),$(PYTHON))
$(RUNTIME) $(DEV): FORCE
endif

# Every command starts processes, which are to find what was compiled before them.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test test-postgres format faults fuzz bench coverage mutate lock upgrade audit sbom image-check vendor \
	screenshots clean FORCE
.DEFAULT_GOAL := run

run: $(RUNTIME)
	@exec $(BIN)/leadledger serve --demo

test: $(DEV)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest

# The whole suite with every ledger on PostgreSQL; what is about SQLite's files says so.
test-postgres: $(DEV)
	TEST_DATABASE=postgresql $(BIN)/python -m pytest

format: $(DEV)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

faults: $(DEV)
	$(BIN)/python -m pytest -m fault -n 0

# So many seconds for each of the doors that strangers' bytes come through.
SECONDS ?= 60
fuzz: $(DEV)
	for door in body paper sheet; do $(BIN)/python -m tests.fuzz.fuzz $$door $(SECONDS) || exit 1; done

bench: $(DEV)
	$(BIN)/python -m pytest -m bench -n 0 -s tests/bench

coverage: $(DEV)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

mutate: $(DEV)
	rm -rf mutants
	$(BIN)/mutmut run
	$(BIN)/mutmut results

COMPILE := $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 \
	--generate-hashes --custom-compile-command "make lock" setup.cfg --extra build

lock: $(DEV)
	$(COMPILE) -o requirements.lock
	$(COMPILE) --extra dev --extra traces --constraint requirements.lock -o requirements-dev.lock

upgrade: COMPILE += --upgrade
upgrade: lock

# Both look at what is installed where the ledger runs, with tools that nothing else here needs. The
# first asks PyPI for what is known of each version.
audit: $(DEV)
	$(BIN)/uv tool run --quiet --no-config --from pip-audit==2.10.1 \
		pip-audit --strict --disable-pip --require-hashes --requirement requirements.lock

sbom: $(DEV)
	@mkdir -p build
	$(BIN)/uv tool run --quiet --no-config --from cyclonedx-bom==7.5.0 cyclonedx-py requirements \
		--output-reproducible --validate --output-file build/sbom.cdx.json requirements.lock

image-check:
	tools/check-image

# What pages load that others made, from npm packages; the copies are kept with the code.
vendor:
	tools/vendor

# The README's pictures of the pages, from the 2025 ledger; needs Chromium and Chinese fonts.
screenshots: $(DEV)
	$(BIN)/python -m tests.browser.screenshots

clean:
	rm -rf $(VENV) build dist *.egg-info mutants .coverage* .*_cache .hypothesis

# While packages are being installed there is no stamp, so an install that was cut short is found
# out by the next call, which starts from an empty environment. The development packages contain
# the runtime ones in the same versions, hence both stamps for them; much of them nothing imports, so
# they are not compiled before.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Python 3.11 or newer is needed; '$(PYTHON)' is not: give one with PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "'$(PYTHON)' cannot make virtual environments: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }
	@if [ "$(INSTALLED)" != "$(PYTHON)" ]; then $(PYTHON) -m venv --clear $(VENV); fi
	@rm -f $(RUNTIME) $(DEV)
	$(BIN)/python -m pip install $(PIP_FLAGS) $(2) --require-hashes -r $(1)
	$(BIN)/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation --editable .
endef
PIP_FLAGS := --quiet --quiet --disable-pip-version-check --no-input

$(RUNTIME): requirements.lock $(PROJECT)
	$(call install,requirements.lock)
	@echo "$(PYTHON)" > $@

$(DEV): requirements-dev.lock requirements.lock $(PROJECT)
	$(call install,requirements-dev.lock,--no-compile)
	@echo "$(PYTHON)" | tee $(RUNTIME) > $@

# Two commands: `make run` starts the mirror, `make test` runs every test. Both install what they need.
#   make run ARGS="--source camera:0 --config my.toml"

PYTHON ?= $(shell for p in python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: run test check bench lint docs clean

run: $(VENV)/.base
	@$(BIN)/mirror run $(ARGS)

check: $(VENV)/.base
	@$(BIN)/mirror check $(ARGS)

bench: $(VENV)/.base
	@$(BIN)/mirror bench $(ARGS)

test: $(VENV)/.dev
	@$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

docs: $(VENV)/.base
	@$(BIN)/python -m installation.reference_tables

# The system libraries that no wheel carries (GL, EGL, PortAudio), and Python's own venv module.
$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "The mirror needs Python 3.11 or 3.12, and none was found. Try: sudo apt install python3"; exit 1; }
	@$(PYTHON) installation/system.py
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip

$(VENV)/.base: pyproject.toml | $(VENV)/bin/python
	@echo "Installing the mirror into $(VENV) (a few minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.base
	@echo "Installing what the tests need into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[models,prompts,network,docent,midi,photographs,cluster,ndi,virtualcam,dev]'
	@touch $@

clean:
	rm -rf $(VENV) out build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

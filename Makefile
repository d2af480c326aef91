# make demo   install what is needed and serve the page on http://127.0.0.1:7860
# make test   install what the tests add and run them all
# make quick  the tests that need no browser and take no seconds each
# make check  format, lint and types only
# Overrides: PYTHON=/path/to/python3.12  PORT=8000  ARGS="--share"  WORKERS=4

VENV ?= .venv
PORT ?= 7860
ARGS ?=
WORKERS ?= 2
BIN := $(VENV)/bin
# Several processes on few cores sleep while they wait for each other
PYTEST := OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.PHONY: demo test quick check clean

demo: $(VENV)/.installed
	$(BIN)/python app.py --port $(PORT) $(ARGS)

test: $(VENV)/.installed-dev check
	@sh scripts/chromium.sh
	$(PYTEST)

quick: $(VENV)/.installed-dev
	$(PYTEST) -m "not browser and not slow"

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache >/dev/null || $(BIN)/lint-imports --no-cache
	$(BIN)/mypy

$(VENV)/.installed: requirements.txt
	@test -x $(BIN)/python || "$$(PYTHON="$(PYTHON)" sh scripts/find_python.sh)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

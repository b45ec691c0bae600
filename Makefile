# Everything runs in .venv, which is made on demand: make PYTHON=python3.12 test
PYTHON ?= python3
BIN = .venv/bin
INSTALL = -m pip install --quiet --disable-pip-version-check
# By so many processes. Many tests wait for others, so that more than there are cores pays.
AT_ONCE ?= 4
# Tests start some hundred processes, and each would compile hookkit anew where nothing is kept.
export PYTHONDONTWRITEBYTECODE =
SHARED_OUT = --numprocesses $(AT_ONCE) --dist worksteal
# Every line and every branch of these is covered; of the whole package, 95 %.
COVERED = hookkit/core/*,hookkit/signatures/*,hookkit/schemas/*,hookkit/providers/*,hookkit/senders/*

# These look at the code and run none of it.
CHECKED = tests/test_declared_types.py tests/test_dependencies.py tests/test_project.py

.DEFAULT_GOAL = help
.PHONY: help demo run test check docs lowest package pythons soak fuzz bench ratios format constraints clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' Makefile | expand -t 14

demo: .venv/stamp ## show one of everything, with real processes, and end
	@$(BIN)/python -m sample_app.demo

run: .venv/stamp ## start the sample application and leave it up
	@$(BIN)/python -m sample_app.run

test: .venv/stamp ## the suite, and its coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(SHARED_OUT) --ignore=tests/bench/test_commands.py \
		--ignore=tests/package $(addprefix --ignore=,$(CHECKED))
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=95
	$(BIN)/coverage report --fail-under=100 --include='$(COVERED)'

check: .venv/stamp ## lint, format and types, without changing a file
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict
	$(BIN)/python -m pytest --quiet $(CHECKED)

docs: .venv/stamp ## the site, in docs/_build/html, and whether its search answers
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --fresh-env --write-all \
		--jobs auto docs docs/_build/html
	$(BIN)/python -m tests.docs.ask_site docs/_build/html

lowest: .venv-lowest/stamp ## the suite with the oldest versions that setup.cfg allows
	@# peers of the benchmarks need newer versions than the lowest
	.venv-lowest/bin/python -m pytest $(SHARED_OUT) --ignore=tests/bench --ignore=tests/package

# make pythons TESTS="tests/core tests/web"
TESTS ?=
pythons: .venv/stamp ## the suite on every Python that is declared and found here
	$(BIN)/python -m tests.pythons $(SHARED_OUT) $(TESTS)

# W002: samples of two payload versions can be the same.
package: .venv/stamp ## build what is published into dist/, from the last commit, and test it
	rm -rf dist
	$(BIN)/python -m tests.package.building dist
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents --ignore W002 dist/*.whl
	$(BIN)/python -m pytest tests/package

# 100,000 lives of a migration: HOOKKIT_TEST_SCALE=500 for tests/inbox/test_migration_property.py
soak: .venv/stamp ## the tests of faults and races, ten times as long
	HOOKKIT_TEST_SCALE=10 $(BIN)/python -m pytest tests/acceptance tests/inbox/test_model.py \
		tests/inbox/test_migration_property.py tests/inbox/test_switch_races.py \
		tests/providers/test_mutations.py \
		tests/signatures/test_forgeries.py tests/senders/test_identity.py \
		tests/keys/test_key_flood.py tests/hostile \
		tests/bench/test_commands.py

# make fuzz ARGS="--seconds 3600 --processes 4 --seed 7"
ARGS ?= --seconds 600 --processes 2
GUIDED_S ?= 60
fuzz: .venv/stamp ## hostile requests by the million, then targets that coverage guides
	$(BIN)/python -m tests.fuzz $(ARGS)
	$(BIN)/python $(INSTALL) --constraint constraints.txt --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz.guided --seconds $(GUIDED_S)

# make bench BENCHES="accept engines"
BENCHES ?= accept capacity disk durable engines growth normalize outage path private reading unproven verify versions
bench: .venv/stamp ## hookkit, its peers and the limit, side by side
	@missed=; for name in $(BENCHES); do echo "== $$name"; \
		$(BIN)/python -m bench $$name || missed="$$missed $$name"; done; \
		test -z "$$missed" || { echo "goals missed by:$$missed"; exit 1; }

# make ratios RATIOS="--against ../the-release-before"
RATIOS ?=
ratios: .venv/stamp ## the table of goals, in one run of at most 12 minutes
	@$(BIN)/python -m bench ratios $(RATIOS)

format: .venv/stamp ## mend what can be mended mechanically
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

constraints: ## choose the newest versions of all dependencies anew
	rm -rf .venv-constraints
	$(PYTHON) -m venv .venv-constraints
	@# greenlet: sqlalchemy 2.0 needs it and 2.1 does not, so only `make lowest` installs it
	.venv-constraints/bin/python $(INSTALL) --editable '.[bench,check,demo,docs,fuzz,otel,package,postgres,prometheus,test]' greenlet
	grep '^#' constraints.txt > .venv-constraints/new
	.venv-constraints/bin/python -m pip freeze --all --exclude-editable --exclude pip \
		>> .venv-constraints/new
	mv .venv-constraints/new constraints.txt
	rm -rf .venv-constraints

clean: ## remove whatever the other targets have made
	rm -rf .venv .venv-* build dist docs/_build *.egg-info .coverage .coverage.* .hypothesis
	rm -rf .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# setuptools comes first and from the constraints, so that nothing unpinned builds the package.
.venv/stamp: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python $(INSTALL) --constraint constraints.txt setuptools wheel
	$(BIN)/python $(INSTALL) --constraint constraints.txt --no-build-isolation \
		--editable '.[bench,check,demo,docs,package,test]'
	$(call oldest_gunicorn,.venv)
	touch $@

# The other constraints hold here too, except where constraints-lowest.txt says otherwise.
.venv-lowest/stamp: setup.cfg pyproject.toml constraints.txt constraints-lowest.txt
	$(PYTHON) -m venv .venv-lowest
	sed -n 's/^\([a-z-]*==\).*/^\1/p' constraints-lowest.txt > .venv-lowest/names
	@# the newest joserfc, which only tests use, wants a newer cryptography than the lowest
	echo '^joserfc==' >> .venv-lowest/names
	@# the lowest celery wants older ones than the newest of what it is made of
	printf '^kombu==\n^redis==\n' >> .venv-lowest/names
	@# and the SDK of OpenTelemetry is of the version of its API
	printf '^googleapis-common-protos==\n^importlib_metadata==\n^opentelemetry-\n^prometheus_client==\n^protobuf==\n' >> .venv-lowest/names
	grep -ivf .venv-lowest/names constraints.txt > .venv-lowest/constraints.txt
	cat constraints-lowest.txt >> .venv-lowest/constraints.txt
	.venv-lowest/bin/python $(INSTALL) --constraint .venv-lowest/constraints.txt setuptools wheel
	.venv-lowest/bin/python $(INSTALL) --constraint .venv-lowest/constraints.txt \
		--no-build-isolation --editable '.[test]'
	$(call oldest_gunicorn,.venv-lowest)
	touch $@

# Beside the newest one: tests/hostile serves by both.
define oldest_gunicorn
$(1)/bin/python $(INSTALL) --no-deps --upgrade --target $(1)/gunicorn-lowest \
		"gunicorn==$$(sed -n '/^demo/,/^test/s/^ *gunicorn>=//p' setup.cfg)"
endef

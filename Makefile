# Everything runs in .venv, which is made on demand: make PYTHON=python3.12 test
PYTHON ?= python3
BIN = .venv/bin
INSTALL = -m pip install --quiet --disable-pip-version-check
# By so many processes. Many tests wait for others, so that more than there are cores pays.
AT_ONCE ?= 3
SHARED_OUT = --numprocesses $(AT_ONCE) --dist worksteal
# Every line and every branch of these is covered; of the whole package, 95 %.
COVERED = hookkit/core/*,hookkit/signatures/*,hookkit/schemas/*,hookkit/providers/*,hookkit/senders/*

.DEFAULT_GOAL = help
.PHONY: help demo run test check lowest soak fuzz bench format constraints clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' Makefile | expand -t 14

demo: .venv/stamp ## show one of everything, with real processes, and end
	@$(BIN)/python -m sample_app.demo

run: .venv/stamp ## start the sample application and leave it up
	@$(BIN)/python -m sample_app.run

test: .venv/stamp ## the whole suite, and its coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(SHARED_OUT)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=95
	$(BIN)/coverage report --fail-under=100 --include='$(COVERED)'

check: .venv/stamp ## lint, format and types, without changing a file
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict
	$(BIN)/python -m pytest --quiet tests/test_project.py

lowest: .venv-lowest/stamp ## the suite with the oldest versions that setup.cfg allows
	.venv-lowest/bin/python -m pytest $(SHARED_OUT)

# 100,000 lives of a migration: HOOKKIT_TEST_SCALE=500 for tests/inbox/test_migration_property.py
soak: .venv/stamp ## the tests of faults and races, ten times as long
	HOOKKIT_TEST_SCALE=10 $(BIN)/python -m pytest tests/acceptance tests/inbox/test_model.py \
		tests/inbox/test_migration_property.py tests/inbox/test_switch_races.py \
		tests/signatures/test_forgeries.py tests/keys/test_key_flood.py tests/hostile

# make fuzz ARGS="--seconds 3600 --processes 4 --seed 7"
ARGS ?= --seconds 600 --processes 2
GUIDED_S ?= 60
fuzz: .venv/stamp ## hostile requests by the million, then targets that coverage guides
	$(BIN)/python -m tests.fuzz $(ARGS)
	$(BIN)/python $(INSTALL) --constraint constraints.txt --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz.guided --seconds $(GUIDED_S)

bench: .venv/stamp ## hookkit, its peers and the limit, side by side
	@$(BIN)/python -m bench accept
	@$(BIN)/python -m bench capacity
	@$(BIN)/python -m bench durable
	@$(BIN)/python -m bench growth
	@$(BIN)/python -m bench outage
	@$(BIN)/python -m bench private
	@$(BIN)/python -m bench signatures
	@$(BIN)/python -m bench unproven
	@$(BIN)/python -m bench verify
	@$(BIN)/python -m bench versions
	@$(BIN)/python -m bench engines
	@# last: it fails as long as a path passes more files than its goal
	@$(BIN)/python -m bench path

format: .venv/stamp ## mend what can be mended mechanically
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

constraints: ## choose the newest versions of all dependencies anew
	rm -rf .venv-constraints
	$(PYTHON) -m venv .venv-constraints
	@# greenlet: sqlalchemy 2.0 needs it and 2.1 does not, so only `make lowest` installs it
	.venv-constraints/bin/python $(INSTALL) --editable '.[check,demo,fuzz,postgres,test]' greenlet
	grep '^#' constraints.txt > .venv-constraints/new
	.venv-constraints/bin/python -m pip freeze --all --exclude-editable --exclude pip \
		>> .venv-constraints/new
	mv .venv-constraints/new constraints.txt
	rm -rf .venv-constraints

clean: ## remove whatever the other targets have made
	rm -rf .venv .venv-* build dist *.egg-info .coverage .coverage.* .hypothesis
	rm -rf .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# setuptools comes first and from the constraints, so that nothing unpinned builds the package.
.venv/stamp: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python $(INSTALL) --constraint constraints.txt setuptools wheel
	$(BIN)/python $(INSTALL) --constraint constraints.txt --no-build-isolation \
		--editable '.[check,demo,test]'
	$(call oldest_gunicorn,.venv)
	touch $@

# The other constraints hold here too, except where constraints-lowest.txt says otherwise.
.venv-lowest/stamp: setup.cfg pyproject.toml constraints.txt constraints-lowest.txt
	$(PYTHON) -m venv .venv-lowest
	sed -n 's/^\([a-z]*==\).*/^\1/p' constraints-lowest.txt > .venv-lowest/names
	@# the newest joserfc, which only tests use, wants a newer cryptography than the lowest
	echo '^joserfc==' >> .venv-lowest/names
	@# the lowest celery wants older ones than the newest of what it is made of
	printf '^kombu==\n^redis==\n' >> .venv-lowest/names
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

# make demo    record, review, build and look: the whole path in about a minute
# make review  simulated episodes in the browser, for you to judge
# make test    lint and every test that CI runs
.PHONY: demo review test test-long lint bench
.DEFAULT_GOAL := demo

BIN := .venv/bin

demo:
	@scripts/setup.sh sim
	@$(BIN)/teleloom demo --out demo-out

review:
	@scripts/setup.sh review
	@test -d review-out || for task in stack put-in-bowl; do \
	  $(BIN)/teleloom record review-out --lockstep --operator scripted --task $$task --episodes 4 || exit; done
	@$(BIN)/teleloom review review-out

test: lint
	@scripts/monado.sh
	@$(BIN)/python -m pytest -m "not long" --timeout 300 --hypothesis-profile ci

test-long: lint
	@scripts/monado.sh
	@$(BIN)/python -m pytest -m long

lint:
	@scripts/setup.sh dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench:
	@scripts/setup.sh dev
	@$(BIN)/teleloom bench

# make demo   record, review, build and look: the whole path in about a minute
# make review  the demo's episodes in the browser, as an annotator sees them
# make test   lint and every test that CI runs
.PHONY: demo review test test-long lint bench
.DEFAULT_GOAL := demo

BIN := .venv/bin

demo:
	@scripts/setup.sh sim
	@$(BIN)/teleloom demo --out demo-out

review:
	@scripts/setup.sh review
	@$(BIN)/teleloom review demo-out/station

test: lint
	@scripts/monado.sh
	@$(BIN)/python -m pytest -m "not long"

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

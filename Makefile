# The two commands of the README are `make rehearse` and `make test`; both do all set-up themselves.
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(PATH)

export JSII_RUNTIME_PACKAGE_CACHE_ROOT := $(CURDIR)/.venv/.cache/jsii

.PHONY: rehearse test synth lint format bench schema openapi lock clean setup

setup:
	@tools/setup.sh

rehearse: setup ## train, judge, deploy and verify the churn model in the emulated AWS on this machine
	@mlops rehearse churn --approve

test: ## everything, offline, without an AWS account and without Docker
	@tools/setup.sh checkers
	@tools/test.sh

synth: setup ## write the cloud assembly to cdk.out; needs no network
	@cdk synth --quiet

lint: setup ## style, types, architecture
	@ruff format --check . && ruff check .
	@mypy
	@lint-imports

format: setup
	@ruff format . && ruff check --fix .

bench: setup ## the figures of the README
	@python -m benchmarks

schema: setup ## the JSON Schemas that editors use
	@python -m mlops_constructs.settings.schema

openapi: setup ## the OpenAPI document of the API
	@python -m lambdas.api.openapi > docs/openapi.json

lock: setup ## compile the hashed requirements again, after a change of pyproject.toml
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group dev pyproject.toml -o requirements/dev.txt
	@echo 'uv==0.13.9' | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header - -o requirements/uv.txt
	@printf 'checkov==3.3.30\ncfripper==1.22.1\n' | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header - -o requirements/checkov.txt
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header containers/tabular/requirements.in -o containers/tabular/requirements.txt
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header containers/vision/requirements.in -o containers/vision/requirements.txt
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group vision --constraint requirements/dev.txt -o requirements/vision.txt
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group notebook -o requirements/notebook.txt
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header benchmarks/serving/requirements.in -o benchmarks/serving/requirements.txt

clean: ## remove what the other commands wrote
	rm -rf .venv .venv-checkov .venv-notebook node_modules .containers cdk.out reports .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

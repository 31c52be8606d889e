# Lockkeeper. A bare `make` lists the targets.
SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
.DEFAULT_GOAL := help
SOURCES := $(shell find src package.json scripts/build.ts scripts/build-page.ts scripts/bundles.ts scripts/supply -type f ! -name '*.test.ts' 2>/dev/null)

.PHONY: help demo test unit fuzz e2e e2e-ecs lint build crds bench bench-scale faults image package bed-deps format

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## a real control plane, five simulated hosts, one rolling update (DEMO_NODES=5, DEMO_KEEP=1); BED=nodes: real kubelets
	@node e2e/demo/main.ts

test: build ## everything: lint, unit tests, end-to-end tests; ends with 'N passed, N failed'
	@node scripts/test.ts

fuzz: node_modules/.ready ## hold what parses outside input against nonsense, from seeds of chance (FUZZ_SECONDS=600, FUZZ_SEED, FUZZ_ONLY)
	@$(if $(FUZZ_SEED),FUZZ_SEED=$(FUZZ_SEED) )$(if $(FUZZ_ONLY),FUZZ_ONLY='$(FUZZ_ONLY)' )node scripts/fuzz.ts

unit: node_modules/.ready ## unit tests alone
	@node scripts/test.ts unit

e2e: build ## end-to-end tests alone, on control planes of their own; BED=kind: a few on a kind cluster; KUBE=1.30: a few on that version
	@$(if $(KUBE),BED_KUBERNETES=$(KUBE) )node scripts/test.ts $(if $(KUBE),range,$(if $(filter kind,$(BED)),kind,e2e))

e2e-ecs: build ## the ECS controller against moto's server and simulated hosts (wants python3; not part of make test)
	@node scripts/test.ts ecs

lint: node_modules/.ready ## types, Biome, dependency rules, dead exports, stale CRDs
	@node scripts/test.ts lint

build: dist/.ready ## the bundles in dist/: controller, agent, kubectl plugin, ECS controller

crds: node_modules/.ready ## generate crds/ and the chart's copies from src/api
	@node scripts/generate-crds.ts

bench: build ## measure, print a table, write bench/latest.json
	@node e2e/bench/main.ts

bench-scale: build ## measure 100, 1,000 and 5,000 nodes, write bench/scale-*.json and docs/scale.md (ARGS='--nodes 100 --soak 1h'; --help)
	@node e2e/bench/scale/main.ts $(ARGS)

.PHONY: bench-compare bench-compare-check
bench-compare: build ## the same rollout with another operator, one table (OTHER=contender.yaml, ARGS='--nodes 20'; ARGS=--help)
	@node e2e/bench/compare/main.ts $(if $(OTHER),--other $(OTHER)) $(ARGS)

bench-compare-check: build ## whether bench-compare is fair, and takes programs of any kind: some minutes
	@node scripts/test.ts compare

faults: build ## rollouts with harm in their middle, an hour of them; writes docs/faults.md (FAULTS_HURRY=10: each shorter, nothing written)
	@node e2e/faults/report.ts --clear
	@node scripts/test.ts faults
	@node e2e/faults/report.ts

image: build ## one OCI archive an architecture in dist/image, without Docker (ARCH=amd64,arm64)
	@node scripts/build-image.ts --arch $(if $(ARCH),$(ARCH),amd64,arm64)

package: build ## dist/package/lockkeeper-VERSION.tgz, which npx lockkeeper runs
	@node scripts/build-package.ts

.PHONY: sbom audit
sbom: build ## dist/sbom.cdx.json: CycloneDX of what is bundled (every build writes it)

audit: node_modules/.ready ## ask npm's registry for known vulnerabilities
	@npm audit

bed-deps: node_modules/.ready ## install what tests need of Debian (Chromium; containerd, runc, network plugins for real nodes), as root
	@node e2e/nodes/main.ts deps

format: node_modules/.ready ## let Biome format and fix
	@biome check --write .

dist/.ready: node_modules/.ready $(SOURCES)
	@node scripts/build.ts
	@touch $@

node_modules/.ready: package-lock.json
	@npm ci --no-audit --no-fund
	@touch $@

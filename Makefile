# The commands of Duet. Each one first installs missing tools with scripts/setup. `make` alone lists the commands.

# Sets the PATH of the tools, for recipes that call a tool directly.
ENV = . scripts/env &&
SHELL = /bin/bash

.PHONY: help serve test dev fmt lint unit fuzz fuzz-demonstrate e2e engines budget screens bench bench-peers attack sbom cluster doctor clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

serve: ## build for release and serve on http://127.0.0.1:3000 (configure with DUET_* variables)
	@scripts/serve

test: ## run all checks and tests, like CI
	@scripts/setup tools npm lints browser engines fuzz servers
	@scripts/check

cluster: ## serve from three nodes with a private Postgres, NATS and HAProxy (options: CLUSTER="--nodes 2 --port 3000 --data DIR")
	@scripts/cluster $(CLUSTER)

dev: ## serve a debug build, rebuild and reload on every change
	@scripts/setup tools npm
	@scripts/emoji-data
	@$(ENV) exec cargo leptos watch

fmt: ## format the Rust code
	@$(ENV) exec cargo fmt --all

lint: ## check formatting, lints, dependencies and documentation only
	@scripts/setup tools npm lints
	@scripts/check format scripts arrows deny advisories lint lint-wasm docs types

unit: ## run unit and integration tests only
	@scripts/setup servers
	@scripts/check unit

e2e: ## run browser tests only, against the release build
	@scripts/setup tools npm browser servers
	@scripts/check build types e2e

fuzz: ## fuzz the code that reads untrusted input, an hour for each target (options: FUZZ="--seconds 600 links accounts")
	@scripts/setup tools fuzz
	@scripts/fuzz $(or $(FUZZ),--seconds 3600)

fuzz-demonstrate: ## show that the fuzzer detects parsers that are broken on purpose
	@scripts/setup tools fuzz
	@scripts/fuzz-demonstrate

engines: ## test the pages in Firefox and WebKit, if installable from system packages; against the release build
	@scripts/setup tools npm browser engines
	@scripts/check build types engines

budget: ## check the page's size, memory and load times against their limits, with the release build
	@scripts/setup tools npm browser
	@scripts/check build types budget

screens: ## take the screenshots in docs/screens
	@scripts/setup tools npm browser
	@scripts/build
	@$(ENV) playwright test -c end2end/screens.config.ts

bench: ## measure Duet and two baseline servers on this machine (options: BENCH="--only pairs,page --pairs 50")
	@scripts/setup tools npm
	@scripts/build
	@$(ENV) cargo build --locked --release -p bench
	@$(ENV) exec target/release/duet-bench run $(BENCH)

bench-peers: ## compare Duet with ejabberd and Prosody (as root: installs their Debian packages; options: BENCH="--pairs 200")
	@scripts/bench-peers
	@scripts/setup tools npm
	@scripts/build
	@$(ENV) cargo build --locked --release -p bench
	@$(ENV) exec target/release/duet-bench-peers $(BENCH)

torture: ## inject crashes, network and disk faults for ten minutes (options: TORTURE="--nodes 3 --seconds 60 --seed 7")
	@scripts/setup tools npm servers
	@scripts/build
	@$(ENV) cargo build --locked --release -p torture
	@$(ENV) exec target/release/duet-torture $(TORTURE)

torture-demonstrate: ## show that the torture detects servers that are broken on purpose
	@scripts/setup tools npm servers
	@scripts/build
	@$(ENV) cargo build --locked --release -p torture
	@scripts/torture-demonstrate

attack: ## attack a server with slowhttptest, wapiti and sqlmap, which Debian has (options: ATTACK="slow-reads wapiti")
	@scripts/setup tools npm
	@scripts/build
	@$(ENV) node scripts/attack.mjs $(ATTACK)

sbom: ## list everything that Duet is built from, in the format CycloneDX
	@scripts/setup sbom
	@scripts/sbom

doctor: ## report which tools are installed and whether their versions fit
	@scripts/doctor

clean: ## remove the build results of this checkout (keeps data and installed tools)
	@rm -rf target end2end/.output

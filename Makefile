# The commands of Duet. Each installs what it needs first, by scripts/setup; `make` alone lists them.

# The tools' PATH, for the recipes that call one directly.
ENV = . scripts/env &&
SHELL = /bin/bash

.PHONY: help serve test dev fmt lint unit e2e engines budget screens bench bench-peers cluster doctor clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

serve: ## build for release and serve on http://127.0.0.1:3000 (DUET_* variables change that)
	@scripts/serve

test: ## run every check and every test, as CI does
	@scripts/setup tools npm lints browser engines servers
	@scripts/check

cluster: ## serve from three nodes on a Postgres, a NATS and a HAProxy of their own (CLUSTER="--nodes 2 --port 3000 --data DIR": others, kept)
	@scripts/cluster $(CLUSTER)

dev: ## serve a debug build that follows every change
	@scripts/setup tools npm
	@scripts/emoji-data
	@$(ENV) exec cargo leptos watch

fmt: ## format the Rust code
	@cargo fmt --all

lint: ## formatting, lints, crate arrows and documentation only
	@scripts/setup tools npm lints
	@scripts/check format scripts arrows lint lint-wasm docs types

unit: ## unit and integration tests only
	@scripts/setup servers
	@scripts/check unit

e2e: ## browser tests only, against the release build
	@scripts/setup tools npm browser servers
	@scripts/check build types e2e

engines: ## the pages in Firefox and WebKit, where the system's packages have them; against the release build
	@scripts/setup tools npm browser engines
	@scripts/check build types engines

budget: ## what the page costs: bytes, memory, times; against the release build
	@scripts/setup tools npm browser
	@scripts/check build types budget

screens: ## take the pictures in docs/screens
	@scripts/setup tools npm browser
	@scripts/build
	@$(ENV) playwright test -c end2end/screens.config.ts

bench: ## measure Duet beside this machine's ceilings (BENCH="--only pairs,page --pairs 50" for less)
	@scripts/setup tools npm
	@scripts/build
	@$(ENV) cargo build --locked --release -p bench
	@$(ENV) exec target/release/duet-bench run $(BENCH)

bench-peers: ## the same pairs with ejabberd and Prosody beside (installs them from Debian's packages as root)
	@scripts/bench-peers
	@$(MAKE) --no-print-directory bench BENCH="--only pairs --pairs 50 --peers $(BENCH)"

torture: ## ten minutes of crashes, bad networks and bad disks (TORTURE="--nodes 3 --seconds 60 --seed 7" for others)
	@scripts/setup tools npm servers
	@scripts/build
	@$(ENV) cargo build --locked --release -p torture
	@$(ENV) exec target/release/duet-torture $(TORTURE)

torture-demonstrate: ## show that the torture finds servers that are broken on purpose
	@scripts/setup tools npm servers
	@scripts/build
	@$(ENV) cargo build --locked --release -p torture
	@scripts/torture-demonstrate

doctor: ## say which tools are here and whether they fit
	@scripts/doctor

clean: ## remove what was built in this checkout (data and installed tools stay)
	@rm -rf target end2end/.output

# Everything is done by the scripts; this file names them. `make demo` and `make test` set up what they need.
.DEFAULT_GOAL := build
.PHONY: help demo test build install uninstall fmt check bench soak fuzz
export PREFIX FORCE
SOURCES = Package.swift Sources Tests Fuzz

help: ## what there is
	@sed -n 's/^\([a-z]*\): ## /  make \1	/p' Makefile | expand -t 20

demo: ## a local model calls a tool in a container, end to end, with times
	@scripts/bootstrap demo
	@scripts/build
	@scripts/demo

test: ## every test, against a real engine, registry, Docker and clients
	@scripts/bootstrap test
	@scripts/build
	@scripts/test

build: ## the debug build that demo and test share
	@scripts/bootstrap build
	@scripts/build

install: ## release build, and links as Docker CLI plugins [PREFIX=/usr/local] [FORCE=1]
	@scripts/install

uninstall: ## removes them and puts back what was there before [PREFIX=/usr/local]
	@scripts/uninstall

fmt: ## formats the Swift code
	@swift format --in-place --parallel --recursive $(SOURCES)

check: ## formatting and syntax, without building
	@scripts/bootstrap build
	@swift format lint --strict --parallel --recursive $(SOURCES)
	@scripts/check

bench: ## measures, and writes docs/benchmarks.md
	@scripts/bootstrap demo
	@scripts/bench

soak: ## clients that leave, engines and daemons that are killed under load [ABORTS=10000] [KILLS=10]
	@scripts/bootstrap demo
	@scripts/soak $(ABORTS) $(KILLS)

fuzz: ## libFuzzer on every parser of what comes from outside [SECONDS=30]
	@scripts/fuzz $(SECONDS)

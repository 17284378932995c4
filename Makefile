# gitd: the targets that people and CI use alike.
export GOFLAGS := -tags=libvirt_dlopen $(GOFLAGS)
SHELL := /bin/bash

.PHONY: all build setup base demo test arm64 test-base test-faults test-load measure race clean

all: build

## build: gitd and the guest's init, into bin/
build: bin/nodeos-init
	@mkdir -p bin
	go build -trimpath -o bin/gitd ./cmd/gitd

# Phony on purpose: go knows better than make what is up to date.
.PHONY: bin/nodeos-init
bin/nodeos-init:
	@mkdir -p bin
	scripts/build-init $@

## setup: the Debian packages, as root or with sudo
setup:
	@scripts/setup all

## base: compile the minimal kernel, make a base with it, and measure its parts
base: minimal
	bin/gitd base:sizes --state $(BASE_STATE)

# The kernel is kept for all states of this host.
minimal: build
	@scripts/setup kernel
	bin/gitd base:build --kernel minimal --state $(BASE_STATE)

BASE_STATE ?= $(CURDIR)/bin/base

## demo: a push, from nothing to an answer; KEEP=1 leaves it running
demo: setup build
	@KEEP=$(KEEP) scripts/demo

## test: everything, with real git, ssh, libvirt and QEMU, on both kernels
test: setup minimal
	go vet ./...
	$(MAKE) arm64
	go test -timeout 40m -p 1 ./...

## arm64: compile and vet everything for it, into bin/arm64
arm64: export GOARCH := arm64
arm64: export CC := aarch64-linux-gnu-gcc
arm64: setup
	CGO_ENABLED=1 go vet ./...
	CGO_ENABLED=1 go build -trimpath -o bin/arm64/ ./cmd/gitd ./cmd/bench-boot
	scripts/build-init bin/arm64/nodeos-init

## test-faults: break pushes on purpose, phase by phase; FAULTS=all is the whole table
test-faults: setup build
	FAULTS=$(or $(FAULTS),some) go test -timeout 90m -run 'TestFaults$$' -v ./cmd/gitd

## test-load: push 20 times under load and count the requests that fail
test-load: setup build
	go test -timeout 90m -run 'Test(Load|Burst)$$' -v ./cmd/gitd -swaps $(or $(SWAPS),20)

## measure: time pushes, rollbacks and a gitd with 1,000 apps; RUN=TestPushTime for one of them
measure: setup build
	MEASURE=1 go test -timeout 90m -run '^($(or $(RUN),TestPushTime|TestRollbackTime|TestScale))$$' -v ./cmd/gitd

## test-base: compile the kernel a second time, elsewhere and by another clock: the same bytes
test-base: setup
	go test -timeout 90m ./internal/base/kernel -run TestKernelReproducible -compile -v

## bench-boot: where a boot's time goes and what memory it takes, on both kernels; ARGS='-runs 3 -app hello'
bench-boot: minimal
	go build -trimpath -o bin/bench-boot ./cmd/bench-boot
	bin/bench-boot $(ARGS)

## race: the concurrent parts under the race detector
race:
	go test -race ./internal/deploy ./internal/proxy ./internal/ledger ./internal/applog ./internal/control ./internal/guest

clean:
	rm -rf bin

# gitd: the targets that people and CI use alike. `make help` lists them.
SHELL := /bin/bash
# Paths are left out of programs in all targets alike: with other flags, Go compiles everything once more.
export GOFLAGS := -tags=libvirt_dlopen -trimpath $(GOFLAGS)
# The linter is a Go program in a module of its own, so that its dependencies are not gitd's.
LINT := go tool -modfile=tools/lint/go.mod golangci-lint
# What `gitd version` prints: the last tag, the commits since, and whether files were changed. Without git it is empty,
# and gitd says what Go knows.
VERSION = $(shell git describe --tags --dirty --always --match 'v[0-9]*' 2>/dev/null | tr -cd 'A-Za-z0-9.+_-')
# SQLite itself is left alone by the race detector: it is C, translated, with locks of its own; with the detector it
# compiles and runs three times as long.
RACE := -race -gcflags=modernc.org/sqlite/lib=-race=false

.PHONY: all help build setup base minimal demo check vet lint house unit fast compose seccomp test arm64 \
	test-faults test-load test-balancer test-limits test-attacks fuzz test-clients test-browser measure test-base test-docker compat test-compat bench-boot clean

all: build

## help: this list
help:
	@sed -n 's/^## \([^:]*\): \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

## build: gitd, the guest's init and the process around each machine, into bin/
build: bin/nodeos-init bin/gitd-machine
	@mkdir -p bin
	go build -ldflags '-X main.linkedVersion=$(VERSION)' -o bin/gitd ./cmd/gitd

# Phony on purpose: go knows better than make what is up to date.
.PHONY: bin/nodeos-init bin/gitd-machine
bin/nodeos-init:
	@mkdir -p bin
	scripts/build-init $@
bin/gitd-machine:
	@mkdir -p bin
	scripts/build-machine $@

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

## check: before each commit: vet, lint, house and the unit tests, for any user; Go, gcc and git are enough
check:
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target unit vet lint house compose seccomp

## vet: what the compiler's own checker finds
vet:
	go vet ./...

## lint: the rules of .golangci.yml
lint:
	$(LINT) run

## house: sizes of packages, types, functions and lines, and their limits
house:
	@go run ./scripts/house

## compose: docker-compose.yml, read as docker compose does
compose:
	cd tools/compose && go vet ./... && go test ./...

## seccomp: the container's system call filter, beside Docker's default
seccomp:
	cd tools/seccomp && go vet ./... && go test ./...

## unit: the tests that need no root and no machine, with the race detector
unit:
	@go run ./scripts/tests $(RACE) -short ./...

## fast: the same without the race detector, which takes most of the time of a first run
fast:
	@go run ./scripts/tests -short ./...

## test: everything, with real git, ssh, libvirt and QEMU, on both kernels
test: setup minimal
	$(MAKE) arm64
	@go run ./scripts/tests -timeout 40m -p 1 ./...

## arm64: compile and vet everything for it, into bin/arm64
arm64: export GOARCH := arm64
arm64: export CC := aarch64-linux-gnu-gcc
arm64: setup
	CGO_ENABLED=1 go vet ./...
	CGO_ENABLED=1 go build -ldflags '-X main.linkedVersion=$(VERSION)' -o bin/arm64/ ./cmd/gitd ./cmd/bench-boot
	scripts/build-init bin/arm64/nodeos-init
	scripts/build-machine bin/arm64/gitd-machine

## test-faults: break pushes on purpose, phase by phase; FAULTS=all is the whole table
test-faults: setup build
	FAULTS=$(or $(FAULTS),some) go test -timeout 90m -run 'TestFaults$$' -v ./cmd/gitd

## test-load: push 20 times under load and count the requests that fail
test-load: setup build
	go test -timeout 90m -run 'Test(Load|Burst)$$' -v ./cmd/gitd -swaps $(or $(SWAPS),20)

## test-balancer: the whole story of the starter load-balancer, from gitd new to a disk
test-balancer: setup build
	go test -timeout 20m -run 'TestBalancer$$' -v ./cmd/gitd -balancer

## test-limits: repositories and scripts that try to take the host, the large ones too
test-limits: setup build
	LIMITS=1 go test -timeout 20m -run 'Test(Limits|MuchOutput|FullByBuild|HugeRepositories)$$' -v ./internal/builder

## test-attacks: every attack of docs/security.md, against real machines
test-attacks: setup build
	go run ./scripts/attacks

## fuzz: every fuzz target, ten minutes each; TIME=1m JOBS=4 for others
fuzz:
	scripts/fuzz $(or $(TIME),10m) $(or $(JOBS),2)

## test-clients: fetch git and SSH clients, old and new, and compare what they do with docs/clients.md; UPDATE=1 writes it
test-clients: setup build
	go test -timeout 20m -run 'TestClients$$' -v ./cmd/gitd -clients $(if $(UPDATE),-update)

## test-browser: make a PDF with Puppeteer and Debian's Chromium in a machine
test-browser: setup build
	go test -timeout 20m -run 'TestScripts/browser$$' -v ./cmd/gitd -browser

## test-compat: push some real applications, as their authors made them; APPS=next,nest for others
test-compat: setup build
	go test -timeout 90m -parallel 2 -run 'TestCompat$$' -v ./cmd/gitd -compat $(or $(APPS),some)

## compat: push all of them, and write docs/compatibility.md
compat: setup build
	go test -timeout 180m -run 'TestCompat$$' -v ./cmd/gitd -compat $(or $(APPS),all) -write

## measure: time pushes, rollbacks and a gitd with 1,000 apps; RUN=TestPushTime for one of them
measure: setup build
	MEASURE=1 go test -timeout 90m -run '^($(or $(RUN),TestPushTime|TestRollbackTime|TestScale))$$' -v ./cmd/gitd

## test-base: compile the kernel a second time, elsewhere and by another clock: the same bytes
test-base: setup
	go test -timeout 90m ./internal/base/kernel -run TestKernelReproducible -compile -v

## test-docker: build the image with docker-compose, push to it, stop it, upgrade it; DEBIAN=trixie takes a newer Docker
test-docker: setup
	DEBIAN=$(or $(DEBIAN),bookworm) go test -timeout 20m -run 'TestDocker$$' -v .

## bench-boot: where a boot's time goes and what memory it takes, on both kernels; ARGS='-runs 3 -app hello'
bench-boot: minimal
	go build -o bin/bench-boot ./cmd/bench-boot
	bin/bench-boot $(ARGS)

## clean: remove what was built
clean:
	rm -rf bin

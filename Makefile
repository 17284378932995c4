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

.PHONY: all help build deb setup base minimal demo check vet lint house unit fast compose seccomp promql test arm64 \
	test-faults test-load test-upgrade test-base-update test-balancer test-host test-limits test-attacks test-metrics fuzz test-clients test-receivers test-browser measure test-base test-docker compat test-compat bench bench-smoke bench-boot bench-door test-deb clean

all: build

## help: this list
help:
	@sed -n 's/^## \([^:]*\): \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

## build: gitd, the guest's init, the process around each machine and the hooks of git, into bin/
build: bin/nodeos-init bin/gitd-machine bin/gitd-hook
	@mkdir -p bin
	go build -ldflags '-X main.linkedVersion=$(VERSION)' -o bin/gitd ./cmd/gitd

# Phony on purpose: go knows better than make what is up to date.
.PHONY: bin/nodeos-init bin/gitd-machine bin/gitd-hook
bin/nodeos-init:
	@mkdir -p bin
	scripts/build-init $@
bin/gitd-machine:
	@mkdir -p bin
	scripts/build-machine $@
bin/gitd-hook:
	@mkdir -p bin
	scripts/build-hook $@

## deb: the Debian packages gitd and gitd-kernel, into bin/packages, for this host or ARCH=arm64
deb: export GOFLAGS :=
deb:
	@scripts/setup kernel
	go run ./scripts/package -arch $(or $(ARCH),$(shell go env GOARCH))

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
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target unit vet lint house compose seccomp promql

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

## promql: the dashboard and the alerts, parsed as Prometheus does, beside the metrics that there are
promql:
	cd tools/promql && go vet ./... && go test ./...

## unit: the tests that need no root and no machine, with the race detector
unit:
	@go run ./scripts/tests $(RACE) -short ./...

## fast: the same without the race detector, which takes most of the time of a first run
fast:
	@go run ./scripts/tests -short ./...

## test: everything, with real git, ssh, libvirt and QEMU, on both kernels; ONLY=machines leaves out what make check runs
test: setup minimal
	$(MAKE) arm64
	@go run ./scripts/tests -again -timeout 40m -p 1 $(if $(ONLY),$(MACHINES),./...)

# The packages with tests that are left out by -short.
MACHINES = $(sort $(dir $(shell grep -rlF --include=*_test.go 'testing.Short()' . )))

## arm64: compile and vet everything for it, into bin/arm64
arm64: export GOARCH := arm64
arm64: export CC := aarch64-linux-gnu-gcc
arm64: setup
	CGO_ENABLED=1 go vet ./...
	CGO_ENABLED=1 go build -ldflags '-X main.linkedVersion=$(VERSION)' -o bin/arm64/ ./cmd/gitd ./cmd/bench-boot
	scripts/build-init bin/arm64/nodeos-init
	scripts/build-machine bin/arm64/gitd-machine
	scripts/build-hook bin/arm64/gitd-hook

## test-faults: break pushes on purpose, phase by phase; FAULTS=all is the whole table, FAULTS=few each way once
test-faults: setup build
	FAULTS=$(or $(FAULTS),some) go test -timeout 90m -run 'TestFaults(OfKept|OfSleep|OfSpares)?$$' -v ./cmd/gitd

## test-load: push 20 times under load, then with rollbacks, spare machines and sleep, and count the requests that fail
test-load: setup build
	go test -timeout 90m -run 'Test(Load|LoadReady|Burst)$$' -v ./cmd/gitd -swaps $(or $(SWAPS),20)

## test-upgrade: upgrade gitd 5 times under load and count the requests that fail
test-upgrade: setup build
	go test -timeout 30m -run '^TestUpgrade' -v ./cmd/gitd -upgrades $(or $(UPGRADES),5)

## test-base-update: move ten apps to another base under load and back, and a host that gets Debian's updates
test-base-update: setup build
	go test -timeout 30m -run 'Test(BaseUpdate|DebianUpdate)$$' -v ./cmd/gitd -based $(or $(APPS),10)

## test-balancer: the whole story of the starter load-balancer, from gitd new to a disk
test-balancer: setup build
	go test -timeout 20m -run 'TestBalancer$$' -v ./cmd/gitd -balancer

## test-host: machines on a network of libvirt: destroy it, restart libvirt's daemon
test-host: setup build
	go test -timeout 20m -run 'TestBridge' -v ./internal/libvirt -host
	go test -timeout 20m -run 'TestNetwork$$' -v ./cmd/gitd -host

## test-limits: repositories, scripts and apps that try to take the host or their machine, the large ones too
test-limits: setup build
	LIMITS=1 go test -timeout 20m -run 'Test(Limits|MuchOutput|FullByBuild|HugeRepositories)$$' -v ./internal/builder
	LIMITS=1 go test -timeout 20m -run 'TestForkBomb$$' -v ./internal/libvirt
	go test -timeout 20m -run 'TestScripts/memory_heap$$' -v ./cmd/gitd -limits

## test-attacks: every attack of docs/security.md, against real machines
test-attacks: setup build
	go run ./scripts/attacks

## test-metrics: Debian's Prometheus reads a gitd, with the alerts, and is asked for all that the dashboard shows
test-metrics: setup build
	@command -v prometheus >/dev/null || { echo 'it needs: apt install prometheus'; exit 1; }
	PROMETHEUS=1 go test -timeout 20m -run 'TestPrometheus$$' -v ./cmd/gitd

## fuzz: every fuzz target, ten minutes each; TIME=1m JOBS=4 for others
fuzz:
	scripts/fuzz $(or $(TIME),10m) $(or $(JOBS),2)

## test-clients: fetch git and SSH clients, old and new, and compare what they do with docs/clients.md; UPDATE=1 writes it
test-clients: setup build
	go test -timeout 20m -run 'TestClients$$' -v ./cmd/gitd -clients $(if $(UPDATE),-update)

## test-receivers: send to Debian's rsyslog, over TCP and TLS; it must be installed (rsyslog, rsyslog-gnutls)
test-receivers:
	command -v rsyslogd /usr/sbin/rsyslogd >/dev/null || { echo "install rsyslog and rsyslog-gnutls first" >&2; exit 1; }
	go test -run TestRsyslog -v ./internal/drain

.PHONY: test-backup
## test-backup: back up three apps under load, through age and restic, and restore them elsewhere
test-backup: setup build
	command -v age restic >/dev/null || apt-get install -y -q age restic
	go test -timeout 20m -run 'TestDrill$$' -v ./cmd/gitd -drill

.PHONY: test-docs
## test-docs: type every line of README.md and docs, as a reader does, and see what it leads to
test-docs: setup build
	for p in age restic psql; do command -v $$p >/dev/null || apt-get install -y -q age restic postgresql-client; done
	go test -timeout 20m -run 'TestDocs$$' -v ./cmd/gitd -docs

.PHONY: test-remote
## test-remote: run machines on another host, over SSH, and break the way there
test-remote: setup build
	go test -timeout 15m -run 'TestRemote' -v ./cmd/gitd -remote

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

## test-deb: install the packages on fresh Debian servers, push, crash, reboot, upgrade, remove; DEBIAN=bookworm for one
test-deb: DEBIANS := bookworm,trixie# a comma divides the words of a function: it was bookworm alone
test-deb: setup minimal
	go test -timeout 40m -run 'TestDeb$$' -v . -debian $(or $(DEBIAN),$(DEBIANS))

## bench-boot: where a boot's time goes and what memory it takes, on both kernels; ARGS='-runs 3 -app hello'
bench-boot: minimal
	go build -o bin/bench-boot ./cmd/bench-boot
	bin/bench-boot $(ARGS)

## bench-door: the front door beside nginx, HAProxy and Caddy, in turns; ARGS='-rounds 1 -time 2s'
bench-door:
	go build -o bin/bench-door ./cmd/bench-door
	bin/bench-door $(ARGS)

## bench: what a push, a rollback and a machine cost beside what there would be otherwise: docs/benchmarks.md; ARGS='-rounds 2 -parts push'
bench: setup minimal
	go build -o bin/bench ./cmd/bench
	bin/bench $(ARGS)

## bench-smoke: one short round of `make bench`: is the harness right?
bench-smoke: setup build
	go build -o bin/bench ./cmd/bench
	bin/bench -smoke $(ARGS)

## clean: remove what was built
clean:
	rm -rf bin

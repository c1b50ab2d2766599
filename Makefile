# Everything that CI runs, make runs. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# That of the tag, else of the commit. It is found out once for all that make builds.
ifndef VERSION
VERSION := $(shell git describe --tags --exact-match --dirty 2>/dev/null || \
	echo "devel+$$(git rev-parse --short=12 HEAD)$$(git diff --quiet HEAD || echo -dirty)")
endif
export VERSION
# Where the programs are built to.
BIN ?= bin
# What runs a few times in a start gains nothing from inlining, and grows by it.
LEAN := -gcflags='github.com/aws/...=-l' -gcflags='go.yaml.in/...=-l' \
	-gcflags='golang.org/x/crypto/...=-l'
# Nothing here speaks HTTP/2, so nothing links it. AWS Lambda is answered by its API alone: with RPC
# the linker keeps every method of the SDK, 36 MB of them.
GOFLAGS_BUILD := -trimpath -tags nethttpomithttp2,lambda.norpc $(LEAN)
LDFLAGS := -s -w -X main.version=$(VERSION)
# Programs that live for one request. The others work for longer: our own code is inlined there,
# and functions begin where the linker likes it best.
PLUGINS := aws-provider-executor aws-provider-inventory fence_aws_executor \
	appliance-provider-executor
# What a plugin uses of Go's own a few times. Its runtime, hashes and curves are not among it.
LEAN_PLUGIN := aws-provider-executor/... net/... crypto/tls crypto/x509 math/big encoding/... \
	compress/... regexp/... text/... log/... mime/... os/... vendor/...
# What was compiled for the programs is not compiled again for tests.
GOFLAGS_TEST := -vet=off -trimpath -tags nethttpomithttp2,lambda.norpc $(LEAN)
# What starts goroutines. The race detector looks at its tests, but for four of many worlds.
RACE := ./pkg/action ./pkg/appliance/access ./pkg/awsec2 ./pkg/cli ./pkg/ec2sim/... ./pkg/executor \
	./pkg/fenceagent ./pkg/gate ./pkg/host ./pkg/internal/bench ./pkg/ledger/table/... \
	./pkg/lifecycle/... ./pkg/licenses ./pkg/members ./pkg/metrics ./pkg/nodes/awscloud \
	./pkg/nodes/probe ./pkg/nodes/scan ./pkg/nodes/service/... ./pkg/nodes/sshcommand \
	./pkg/nodes/sshhost ./pkg/plugin ./pkg/runner ./pkg/signature ./pkg/subprocess
RACE_SKIP := ^Test(A14TenThousandInstances|AKillLeavesNoHalfRegion|TwoMachines|(Handlers)?Model.*)$$
# Where the detector looks at some tests only: those of many at once, and the scripts in which a
# program serves a stream, executes or scans many things, gives up on a call, or is not alone.
RACE_SOME := ./cmd/actionctl ./cmd/aws-provider-executor ./pkg/journal ./pkg/ledger ./pkg/nodes/store
RACE_SCRIPTS := serve.*|road|bulk|nodes_managers|lesson_(a_hanging|replace_never).*
RACE_TESTS := AtOnce|Many(Joined|Writers|Make)|Processes|VerifyLooks|WaitsForItsTurn|LockFile
RACE_RUN := TestScripts$$/^($(RACE_SCRIPTS))$$|$(RACE_TESTS)
# A number of inputs, or a time; at the end of a time Go's fuzzer may call that a failure.
FUZZTIME ?= 100000x
SOAK ?= 3m
# What mutate breaks: what decides on a change, its undo and its evidence. One package or file with
# PKG, a random sample with MUTATE_FLAGS="-sample 100".
PKG ?= ./actions/forwarding ./actions/power ./actions/route ./actions/sgfence \
	./pkg/policy/decide.go ./pkg/policy/signed.go ./pkg/journal \
	./pkg/ledger/sweep.go ./pkg/ledger/table $(addprefix ./pkg/gate/,approve.go execute.go carry.go \
	rollback.go) \
	./pkg/history ./pkg/protocol ./pkg/wildcard ./pkg/action ./pkg/signature ./pkg/fenceagent \
	./pkg/executor
MUTATE_FLAGS ?=
# Debian's packages that fence-cluster needs.
FENCE_PACKAGES := pacemaker pacemaker-cli-utils corosync fence-agents libxml2-utils xsltproc
# Debian's packages that monitoring needs.
MONITORING_PACKAGES := prometheus prometheus-node-exporter systemd
# What commits are new to: origin's head, or main, when empty. What bench-compare compares with.
BASE ?=
# As "-only journal,ledger", or -write.
BENCH_FLAGS ?=
# As -v. For all three demos.
DEMO_FLAGS ?=
FUZZ := pkg/protocol:FuzzDecode pkg/action:FuzzForms pkg/ledger:FuzzRecord pkg/policy:FuzzDecision \
	pkg/document:FuzzParse actions/sgfence:FuzzDecodeChunk pkg/metrics:FuzzParse \
	pkg/lifecycle:FuzzParse pkg/appliance/configtext:FuzzTemplates

BROWSER_PACKAGES := chromium fonts-dejavu-core

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Which programs are built: all of them, or those that a demo runs.
PROGRAMS ?= $(notdir $(wildcard cmd/*))
# V=1 shows the commands that compile.
Q := $(if $(V),,@)
# Compiles programs, with flags of their own; nothing where there are none.
compile = $(if $(1),$(Q)CGO_ENABLED=0 go build $(GOFLAGS_BUILD) $(2) -o $(BIN)/ $(1:%=./cmd/%))

build: ## build every program into bin/; V=1 shows the commands
	@mkdir -p $(BIN)
	@echo 'Compiling into $(BIN)/: $(PROGRAMS)'
	$(call compile,$(filter-out $(PLUGINS),$(PROGRAMS)),-ldflags "$(LDFLAGS)")
	$(call compile,$(filter $(PLUGINS),$(PROGRAMS)),\
		$(LEAN_PLUGIN:%=-gcflags='%=-l') -ldflags "$(LDFLAGS) -funcalign=8")

# A demo has the flags of the programs that it runs, so what was compiled for them is not compiled
# again. No other programs are built for it.
PLAY := CGO_ENABLED=0 go run $(GOFLAGS_BUILD)

demo: ## show the main job on the stand-in, step by step; DEMO_FLAGS=-v shows documents whole
	@echo 'The main job, on a stand-in of EC2. The first time it compiles, for a minute.'
	@$(MAKE) --no-print-directory build PROGRAMS='ec2sim aws-provider-executor'
	@$(PLAY) ./examples/demo -bin $(BIN) $(DEMO_FLAGS)

demo-gate: ## show the gate on the stand-in: the whole road, denials, signatures; DEMO_FLAGS=-v
	@echo 'The gate, on a stand-in of EC2. The first time it compiles, for some minutes.'
	@$(MAKE) --no-print-directory build PROGRAMS='ec2sim aws-provider-executor actionctl'
	@$(PLAY) ./examples/gate -bin $(BIN) $(DEMO_FLAGS)

demo-lifecycle: ## show a group that scales out and in, a handler that is killed; DEMO_FLAGS=-v
	@echo 'A scaling group, on a stand-in of EC2. The first time it compiles, for minutes.'
	@$(MAKE) --no-print-directory build PROGRAMS='lifecycled aws-provider-executor actionctl'
	@$(PLAY) ./examples/lifecycle/demo -bin $(BIN) $(DEMO_FLAGS)

# The race detector makes SQLite and the start of a program ten times slower. All tests run without
# it. Then it looks at the packages that start goroutines: at all of their tests, or, where those
# take minutes with it, at the ones that do many things at once.
test: ## run all tests, then with the race detector what has goroutines; name the slowest
	@told=$$(mktemp); trap 'rm -f "$$told"' EXIT; \
	{ CGO_ENABLED=0 go test $(GOFLAGS_TEST) -timeout 30m ./... && \
	go test -race -timeout 20m -skip '$(RACE_SKIP)' $(RACE) && \
	go test -race -timeout 20m -run '$(RACE_RUN)' $(RACE_SOME); } | tee "$$told"; \
	echo 'The slowest packages, in seconds:'; \
	sed -n 's/^ok  *\t*\([^\t]*\)\t\([0-9.]*\)s.*/\2 \1/p' "$$told" | sort -rn | head -12

fuzz: ## run each fuzz target for FUZZTIME
	@for target in $(FUZZ); do \
		go test -run '^$$' -fuzz "^$${target#*:}$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x ./$${target%%:*}; \
	done

lint: ## vet, staticcheck, form and words of code and commits, tidy and generated files
	go vet ./...
	go vet -tags conformance,fencecluster,monitoring,browser,postgres,sshd,installed ./...
	go -C pkg/internal/dist vet ./...
	go tool staticcheck ./...
	go tool gocyclo -over 15 cmd pkg actions schema examples
	go run ./pkg/internal/lint cmd pkg actions schema examples
	go run ./pkg/internal/lint -subjects -base '$(BASE)'
	@test -z "$$(gofmt -l cmd pkg actions schema examples)" || { gofmt -d cmd pkg actions schema examples; exit 1; }
	go mod tidy -diff
	go run ./schema/generate -check

fmt: ## format the code
	gofmt -w cmd pkg actions schema examples

generate: ## write the schemas and the reference from the descriptors
	go run ./schema/generate

conformance: build ## hold executor and stand-in against moto, boto3 and the AWS CLI
	go test -tags conformance -count=1 -timeout 40m -v ./pkg/internal/conformance

postgres: ## have what is kept in SQLite pass its tests on PostgreSQL too, which it installs
	@ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || { apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql; }
	go test -tags postgres -count=1 -timeout 20m ./pkg/nodes/store ./pkg/gate
	go test -tags postgres -count=1 -timeout 20m -run 'Server|PostgreSQL' ./pkg/journal ./cmd/actionctl

sshd: ## have OpenSSH's server judge commands on machines added by hand; installs it
	@test -x /usr/sbin/sshd || { apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends openssh-server; }
	go test -tags sshd -count=1 -timeout 10m -run SSHD ./cmd/actionctl

fence-cluster: ## as root: have fence-agents, Pacemaker and a whole cluster judge the fence agent
	@dpkg-query -W $(FENCE_PACKAGES) >/dev/null 2>&1 || { apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(FENCE_PACKAGES); }
	go test -tags fencecluster -count=1 -timeout 30m -v ./pkg/internal/fencecluster

monitoring: ## have promtool judge metrics, alerts and dashboard, and systemd the examples' units
	@dpkg-query -W $(MONITORING_PACKAGES) >/dev/null 2>&1 || { apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(MONITORING_PACKAGES); }
	go test -tags monitoring -count=1 ./pkg/internal/monitoring

browser: ## look at the pages of reports and nodes in headless Chromium, which it installs
	@dpkg-query -W $(BROWSER_PACKAGES) >/dev/null 2>&1 || { apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(BROWSER_PACKAGES); }
	go test -tags browser -count=1 -timeout 10m ./pkg/report ./pkg/nodes/service/page

# What is packed is of the time of its commit, so that the same commit gives the same bytes.
DIST := bin/dist
DIST_TIME = $(shell git log -1 --format=%ct)
# One of them is this machine's: its programs write the manual and the completions.
DIST_PLATFORMS := linux-amd64 linux-arm64 darwin-amd64 darwin-arm64
DIST_HOST = bin/platforms/$$(go env GOHOSTOS)-$$(go env GOHOSTARCH)

dist: ## make what is installed: packages, archives, image, SBOMs, in bin/dist; DIST_PLATFORMS=linux-amd64
	@rm -rf $(DIST) bin/platforms bin/manual bin/completions
	@for p in $(DIST_PLATFORMS); do \
		export GOOS=$${p%-*} GOARCH=$${p#*-} CGO_ENABLED=0; \
		case $$p in \
		linux-*) $(MAKE) --no-print-directory build BIN=bin/platforms/$$p;; \
		darwin-*) go build $(GOFLAGS_BUILD) -ldflags "$(LDFLAGS)" -o bin/platforms/$$p/ ./cmd/actionctl;; \
		*) echo "DIST_PLATFORMS has $$p, want linux-ARCH or darwin-ARCH, as linux-amd64" >&2; false;; \
		esac || exit 1; \
	done
	CGO_ENABLED=0 go run $(GOFLAGS_BUILD) ./pkg/internal/manual -programs $(DIST_HOST) -out bin/manual -version $(VERSION) \
		-time $(DIST_TIME)
	@mkdir -p bin/completions; for program in actionctl lifecycled; do for shell in bash zsh fish; do \
		$(DIST_HOST)/$$program completion $$shell >bin/completions/$$program.$$shell || exit 1; done; done
	go -C pkg/internal/dist run . -root $(CURDIR) -programs $(CURDIR)/bin/platforms \
		-manual $(CURDIR)/bin/manual -completions $(CURDIR)/bin/completions \
		-out $(CURDIR)/$(DIST) -version $(VERSION) -time $(DIST_TIME)
	@ls -l $(DIST)

# What tries and judges packages has those of one processor.
installed dist-judges dist-twice: DIST_PLATFORMS := linux-amd64
# Debian's packages that installed needs, and the version that it upgrades from.
INSTALLED_PACKAGES := mmdebstrap systemd-container
INSTALLED_OLDER := devel+0123456789ab
# Debian's packages that dist-judges needs.
DIST_JUDGES := lintian rpm skopeo umoci

installed: dist ## as root: a Debian that systemd boots gets the package, upgrades and removes it
	@dpkg-query -W $(INSTALLED_PACKAGES) >/dev/null 2>&1 || { apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(INSTALLED_PACKAGES); }
	$(MAKE) --no-print-directory dist DIST=bin/older DIST_PLATFORMS=$(DIST_PLATFORMS) \
		VERSION=$(INSTALLED_OLDER) DIST_TIME=1000000000
	INSTALLED_OLDER=$(INSTALLED_OLDER) INSTALLED_PRESENT=$(VERSION) \
		go test -tags installed -count=1 -timeout 20m -v ./pkg/internal/installed

dist-judges: dist ## as root: have lintian, rpm, skopeo, umoci and CycloneDX judge what dist makes
	@dpkg-query -W $(DIST_JUDGES) >/dev/null 2>&1 || { apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(DIST_JUDGES); }
	DIST_MADE=$(CURDIR)/$(DIST) DIST_VERSION=$(VERSION) \
		go -C pkg/internal/dist test -count=1 -timeout 20m -v .

# With DIST_CACHE=FOLDER all is compiled anew, which takes minutes.
DIST_CACHE ?= $(shell go env GOCACHE)

dist-twice: dist ## make dist again from a fresh clone elsewhere, with other rights and clocks: same bytes
	@git diff --quiet HEAD || { echo 'commit first: a clone has only what is committed'; exit 1; }
	@clone=$$(mktemp -d); trap 'rm -rf "$$clone"' EXIT; \
	git clone --quiet . "$$clone/elsewhere"; umask 077; \
	TZ=Asia/Tokyo LC_ALL=C GOCACHE='$(DIST_CACHE)' $(MAKE) --no-print-directory -C "$$clone/elsewhere" \
		dist DIST_PLATFORMS='$(DIST_PLATFORMS)'; \
	diff $(DIST)/SHA256SUMS "$$clone/elsewhere/$(DIST)/SHA256SUMS"

bench: build ## measure what everything costs: some 10 minutes; BENCH_LARGE=1 for a million, BENCH_FLAGS=-write for the documents
	go run ./pkg/internal/bench $(BENCH_FLAGS)

bench-try: build ## see that all of the bench works, at sizes that tell nothing
	go run ./pkg/internal/bench -tiny

bench-compare: ## hold Go's benchmarks against those of the revision BASE, by benchstat
	go run ./pkg/internal/benchcompare -base '$(BASE)'

soak: ## run every kill and fault in every scenario, then random ones for SOAK; report what was lost
	PROOF_SOAK=$(SOAK) go test -count=1 -timeout 2h -run '^Test(Soak|Faults|Killed.*)$$' -v ./pkg/internal/proof

mutate: ## break the code in one place at a time, and name what PKG's own tests do not notice
	go run ./pkg/internal/mutate $(MUTATE_FLAGS) $(PKG)

model: ## explore the histories of attributes as deep as it goes: some minutes
	MODEL=deep go test ./pkg/history -run 'TestModel|TestBrokenRules' -count=1 -v -timeout 60m

.PHONY: help build dist dist-judges dist-twice installed demo demo-gate demo-lifecycle test fuzz lint fmt generate conformance postgres sshd fence-cluster monitoring browser bench bench-try bench-compare soak mutate model

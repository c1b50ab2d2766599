# Everything that CI runs, make runs. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
GOFLAGS_BUILD := -trimpath -ldflags "-s -w -X main.version=$(VERSION)"
FUZZTIME ?= 5s
SOAK ?= 3m

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build every program into bin/
	@mkdir -p bin
	CGO_ENABLED=0 go build $(GOFLAGS_BUILD) -o bin/ ./cmd/*

demo: build ## show the main job on the stand-in, step by step
	@go run ./examples/demo

test: ## run all tests, with the race detector
	go test -race ./...

fuzz: ## run each fuzz target for FUZZTIME
	go test -run '^$$' -fuzz '^FuzzDecode$$' -fuzztime $(FUZZTIME) ./pkg/protocol
	go test -run '^$$' -fuzz '^FuzzForms$$' -fuzztime $(FUZZTIME) ./pkg/action

lint: ## vet, staticcheck, gofmt, tidy and generated files
	go vet ./...
	go vet -tags conformance ./...
	go tool staticcheck ./...
	@test -z "$$(gofmt -l cmd pkg actions schema examples)" || { gofmt -d cmd pkg actions schema examples; exit 1; }
	go mod tidy -diff
	go run ./schema/generate -check

fmt: ## format the code
	gofmt -w cmd pkg actions schema examples

generate: ## write the schemas and the reference from the descriptors
	go run ./schema/generate

conformance: build ## hold executor and stand-in against moto, boto3 and the AWS CLI
	go test -tags conformance -count=1 -v ./pkg/conformance

bench: build ## measure the executor beside the AWS CLI and a floor without an SDK
	go run ./pkg/bench

.PHONY: help build demo test fuzz lint fmt generate conformance bench

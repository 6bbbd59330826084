# pushcheck's commands. CI calls only these; `make` alone lists them.
GO     ?= go
# One binary runs the linters, at the version that tools.mod pins.
LINTER  = $(GO) tool -modfile=tools.mod golangci-lint
FUZZTIME ?= 20s

.DEFAULT_GOAL := help
.PHONY: help check fmt fmt-check vet test tidy tidy-check race lint scenarios storm self thorough sweep-eras e2e fuzz fuzz-foreign golden bench bench-peers cover build clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

check: fmt-check vet test tidy-check ## what must pass before a commit; needs Go and nothing else

fmt: ## format every Go file
	gofmt -s -w .

fmt-check: ## name the files that fmt would change, and fail if there are any
	@out=$$(gofmt -s -l .); if [ -n "$$out" ]; then echo "not formatted, run make fmt:"; echo "$$out"; exit 1; fi

vet: ## go vet, the end-to-end tests included
	$(GO) vet ./...
	$(GO) vet -tags e2e ./cmd/pushcheck

test: ## every test that needs nothing but Go
	$(GO) test ./...

race: ## the same under the race detector
	$(GO) test -race -count=1 ./...

lint: ## golangci-lint, pinned by tools.mod; the first call builds it
	$(LINTER) run ./...

scenarios: ## run the whole built-in library
	$(GO) run ./cmd/pushcheck run

storm: ## the library's storm with two hundred seeds; a failing one is shrunk to a file
	$(GO) run ./cmd/pushcheck run upload/storm --runs 200

self: ## the conformance checks against the bench's own registries, and every check against every planted defect
	$(GO) test -count=1 ./conformance/...
	$(GO) test -count=1 -timeout 30m -run 'TestWitnesses|TestAuthWitnesses|TestAlone|TestLawful|TestClean' ./conformance -full

thorough: ## in full what the other tests sample: each era against the others' scenarios, every change that a scenario must notice, the library behind a proxy
	$(GO) test -count=1 -run 'TestErasAreApart|TestEveryBuiltInScenarioCanFail|TestLibraryFartherAway' ./scenarios -full

ERAS = docker-1.8 docker-1.9 docker-1.10 docker-1.11 docker-1.12 docker-1.13 docker-20.10 docker-28 containerd best

sweep-eras: build ## every fault at every step of each era's push; TLS goes without ML-KEM, which takes a third of the time
	@for e in $(ERAS); do GODEBUG=tlsmlkem=0 bin/pushcheck sweep --client $$e >bin/sweep.txt 2>&1 || \
		{ cat bin/sweep.txt; echo "make sweep-eras: $$e breaks what it is not known to"; exit 1; }; echo "$$e: nothing new is broken"; done

e2e: ## pushcheck with the programs of others that .ci/run installs; all of them must be there
	$(GO) test -tags e2e -count=1 -timeout 20m -run 'TestE2E' -v ./cmd/pushcheck

fuzz: ## every fuzz target for FUZZTIME (default 20s)
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
		echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; done; done

fuzz-foreign: ## those that read what others wrote (headers, archives, recordings), two at a time
	@printf '%s\n' ./pusher/engine:FuzzAuthHeader ./pusher/image:FuzzLoad ./internal/recording:FuzzStep \
		./internal/recording:FuzzHead ./internal/recording:FuzzScrub | \
	GO='$(GO)' xargs -P 2 -I @ .ci/fuzz @ $(FUZZTIME)

golden: ## write the golden files anew and say what changed
	$(GO) test ./... -update
	git diff --stat

bench: ## what pushcheck promises of its speed and memory, beside its peers in the same run
	$(GO) run ./internal/bench

bench-peers: ## era best beside crane, oras, regctl and skopeo, which must be on PATH, as must docker-registry
	$(GO) run ./internal/bench -peers

cover: ## coverage by function, lowest first
	$(GO) test -coverprofile=cover.out ./...
	$(GO) tool cover -func=cover.out | sort -k3 -n

build: ## bin/pushcheck
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/pushcheck ./cmd/pushcheck

tidy: ## go.mod and go.sum as the imports need them
	$(GO) mod tidy

tidy-check: ## fail if tidy would change anything
	$(GO) mod tidy -diff

clean: ## remove what the targets above made
	rm -rf bin cover.out .pushcheck

# A thin front for Meson. `make run` and `make test` are all a newcomer needs; the rest is for developers.
BUILD ?= build
CORACLE := $(BUILD)/coracle
SHARED ?= ../shared
ARGS ?=

.PHONY: all build run test unit threads e2e crash fuzz lint bench difftest clusterdiff conformance helmdiff clean
all: build

build:
	@scripts/install-dependencies
	@[ -f $(BUILD)/build.ninja ] || meson setup $(BUILD) --buildtype=release > $(BUILD).log || { cat $(BUILD).log; exit 1; }
	@[ -e $(CORACLE) ] || echo "building: the first time takes a few minutes"
	@ninja -C $(BUILD) coracle > $(BUILD).log || { grep -E 'error|FAILED' $(BUILD).log; exit 1; }

# A cluster on this machine, in the foreground. ARGS goes to `coracle server`.
run: build
	@$(CORACLE) server $(ARGS)

# Everything that CI runs: unit tests under sanitizers, end to end, crash, fuzz, lint. Ends with "N passed, N failed".
test:
	@scripts/install-dependencies --test
	@scripts/test all

unit threads e2e crash fuzz lint: build
	@scripts/install-dependencies --test
	@scripts/test $@

bench: build
	@tests/bench/run $(CORACLE)

# Comparisons with the real Kubernetes; these need the recorded answers beside the project.
difftest: build
	@scripts/difftest $(CORACLE) $(SHARED)/difftest $(ARGS)
clusterdiff: build
	@scripts/clusterdiff $(CORACLE) $(SHARED) $(ARGS)
conformance: build
	@scripts/conformance $(CORACLE) $(SHARED) $(ARGS)

# Every chart below CHARTS rendered by helm (HELM) and by Coracle; the texts must be the same.
CHARTS ?= ../charts
HELM ?= helm
helmdiff: build
	@$(SHARED)/helmdiff/helmdiff --helm $(HELM) --other "$(abspath $(CORACLE)) helm" $(ARGS) $(CHARTS)

clean:
	rm -rf $(BUILD) $(BUILD)-test $(BUILD)-tsan $(BUILD)-fuzz $(BUILD).log

# Thin front for Meson. `make run` and `make test` are all a newcomer needs.
BUILD ?= build

$(BUILD)/build.ninja: | deps
	meson setup $(BUILD) --buildtype=release -Db_lto=true >/dev/null

.PHONY: all build deps
all: build
build: $(BUILD)/build.ninja
	ninja -C $(BUILD)
deps:
	@scripts/install-dependencies

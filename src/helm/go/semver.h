/* Semantic versions and constraints as github.com/Masterminds/semver/v3 understands them, with its error texts. Everything
 * lives in the arena. */
#pragma once
#include "base/arena.h"
#include "base/error.h"

struct semver {
    uint64_t major, minor, patch;
    const char *pre, *metadata; /* without - and +, "" if there is none */
    const char *original;       /* what was parsed */
};

/* NewVersion: "v1.2" and "1" count, leading zeros in numbers too. */
MUST_CHECK struct error *semver_parse(struct arena *a, const char *s, struct semver *out);
/* StrictNewVersion: semver.org's syntax only. */
MUST_CHECK struct error *semver_parse_strict(struct arena *a, const char *s, struct semver *out);
const char *semver_format(struct arena *a, const struct semver *v);
int semver_compare(const struct semver *v, const struct semver *w); /* -1, 0, 1; metadata does not matter */

enum semver_part { SEMVER_MAJOR, SEMVER_MINOR, SEMVER_PATCH };
struct semver semver_increment(struct arena *a, const struct semver *v, enum semver_part part);
MUST_CHECK struct error *semver_set_prerelease(struct arena *a, const struct semver *v, const char *pre, struct semver *out);
MUST_CHECK struct error *semver_set_metadata(struct arena *a, const struct semver *v, const char *metadata, struct semver *out);

struct semver_constraints;
/* ">= 1.2, < 3.0.0 || ~4.1", "1.2 - 2.3.4", "^1.x", "*". */
MUST_CHECK struct error *semver_constraints_parse(struct arena *a, const char *s, const struct semver_constraints **out);
bool semver_check(const struct semver_constraints *c, const struct semver *v);

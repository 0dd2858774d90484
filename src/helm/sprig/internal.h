/* Private to sprig/: conversions that many functions share, and the tables. */
#pragma once
#include "base/str.h"
#include "helm/sprig/sprig.h"

/* The head of a function of a table. */
#define SPRIG(name) static struct error *name(struct go_run *run UNUSED, const struct value *args UNUSED, size_t count UNUSED, struct value *out UNUSED)

extern const struct go_func sprig_crypto[], sprig_certificates[], sprig_dates[], sprig_defaults[], sprig_dicts[], sprig_encoding[], sprig_lists[],
    sprig_numbers[], sprig_paths[], sprig_random[], sprig_reflection[], sprig_regex[], sprig_semver[], sprig_strings[], sprig_cases[],
    sprig_urls[], helm_functions[];

/* strval: a string, []byte, error or Stringer as text, all else as %v. */
struct value sprig_text(struct go_run *run, struct value v);
/* strslice: the texts of a list without nils, or of one value; nil is none. A []string. */
struct value sprig_texts(struct go_run *run, struct value v);
/* github.com/spf13/cast: 0 for what is no number. Strings by their prefix (0x, 0b, 0 octal). */
int64_t sprig_int(struct value v);
double sprig_float(struct value v);
MUST_CHECK struct error *sprig_decode64(struct go_run *run, struct value s, struct value *out); /* b64dec */
bool sprig_is_empty(struct value v); /* of default, empty, coalesce … */

static inline struct error *sprig_give(struct go_run *run, struct buf *b, struct value *out) {
    if (b->overflow) return error_new("result is too long");
    *out = value_take_buf(run->arena, b);
    return NULL;
}

/* .helmignore: shell patterns of files that are no part of a chart. */
#pragma once
#include "base/arena.h"
#include "base/error.h"

/* filepath.Match: * ? [a-z] and \ for what they stand for; nothing but a '/' matches a '/'. `bad`: the pattern is malformed. */
bool path_match(const char *pattern, const char *name, bool *bad);

struct ignore_rules {
    struct arena *arena;
    struct ignore_rule *rules;
    size_t count, cap;
};
/* The lines of a .helmignore file; then what helm ignores anyway. */
MUST_CHECK struct error *ignore_parse(struct ignore_rules *rules, const char *text, size_t len);
void ignore_add_defaults(struct ignore_rules *rules);
bool ignore_matches(const struct ignore_rules *rules, const char *path, bool is_dir);

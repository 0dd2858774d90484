/* Finding members of an object by name in constant time, and other private parts of src/json. Up to 16 members a bitmap of
 * (length, first, last byte) sorts out most misses and the rest is compared; above that a hash table is made. */
#pragma once
#include "json/json.h"

struct member_index {
    const struct json_member *members;
    uint64_t seen;
    uint32_t count, *slots, mask;
};
/* For up to `capacity` members, of which none is in the index yet. The array may still be filled. */
void member_index_init(struct member_index *x, const struct json_member *members, uint32_t capacity);
void member_index_free(struct member_index *x);
#define cleanup_index CLEANUP(member_index_free)
/* Adds members[i]; if one of its name is there already, returns that one's position and adds nothing, else -1. */
int64_t member_index_add(struct member_index *x, uint32_t i);
const struct json_member *member_index_find(const struct member_index *x, const char *key, uint32_t key_len);

static inline bool key_eq(const struct json_member *m, const char *key, size_t key_len) {
    return m->key_len == key_len && memcmp(m->key, key, key_len) == 0;
}

/* A reference token of RFC 6901, unescaped. */
static inline const char *pointer_token(struct arena *a, const char *s, size_t n) {
    char *out = arena_strndup(a, s, n), *to = out;
    for (const char *p = out; *p; p++) {
        bool escaped = p[0] == '~' && (p[1] == '0' || p[1] == '1');
        *to++ = escaped ? (*++p == '0' ? '~' : '/') : *p;
    }
    *to = '\0';
    return out;
}

/* The fewest decimal digits that read back as `d` (finite, > 0), taken for a float where `single`: their number; the
 * value is d.ddd * 10^exponent. */
int number_digits(double d, bool single, char digits[24], int *exponent);
/* Go's strconv.FormatFloat(d, 'g', -1, 32 or 64), as YAML shows numbers. */
void number_format_g(struct buf *out, double d, bool single);

/* What a plain YAML scalar means to Go's yaml.v2; private to yaml_*.c. */
enum yaml_kind { YAML_STRING, YAML_TIMESTAMP, YAML_VALUE };
enum yaml_kind yaml_resolve(const char *s, struct json *out); /* fills `out` for YAML_VALUE only */

/* Reads the common part of YAML fast (see yaml_simple.c); false: it is something else, or wrong. `limits` are set. `names`: see
 * yaml_parse_members, or NULL. */
bool yaml_parse_simple(struct arena *a, const char *text, size_t len, const struct json_limits *limits, const char *const *names,
                       const struct json **out);
/* yaml_parse for those who want but a few members of an object, those with these names in upper or lower case (the list ends with NULL):
 * others may be missing in *out, though their syntax has been checked. */
MUST_CHECK struct error *yaml_parse_members(struct arena *a, const char *s, size_t len, const char *const *names, const struct json **out);

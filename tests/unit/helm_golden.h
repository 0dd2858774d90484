/* Reading what Go's libraries made of many inputs (tests/golden/helm/generate): lists of cases, in which bytes that are no UTF-8
 * are a list of one string in base64. */
#pragma once
#include "base/str.h"
#include "json/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

UNUSED static const struct json *golden_load(struct arena *a, const char *name) {
    cleanup_buf struct buf text = {0};
    cleanup_free char *path = xprintf("%s/tests/golden/helm/%s", getenv("SOURCE_DIR"), name);
    const struct json *v = NULL;
    struct error *e = file_read(path, 64 << 20, &text);
    if (e == NULL) e = json_parse(a, text.data, text.len, NULL, NULL, &v);
    if (e != NULL) fail_msg("%s: %s", path, e->message);
    return v;
}

struct bytes {
    const char *s;
    size_t n;
};
UNUSED static struct bytes golden_bytes(struct arena *a, const struct json *v) {
    if (v == NULL) return (struct bytes){"", 0};
    if (v->type == JSON_STRING) return (struct bytes){v->s, v->len};
    char *s;
    size_t n;
    if (!base64_decode(a, v->items[0].s, v->items[0].len, &s, &n)) fail_msg("bad base64");
    return (struct bytes){s, n};
}
UNUSED static struct bytes golden_member(struct arena *a, const struct json *v, const char *name) { return golden_bytes(a, json_member(v, name)); }

UNUSED static bool golden_same(struct bytes want, const char *s, size_t n) { return want.n == n && memcmp(want.s, s, n) == 0; }

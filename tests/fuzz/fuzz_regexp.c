/* An expression, a NUL, a text, a NUL, a replacement: whatever they are, matching ends in bounded time and stays in the text.
 * seeds: tests/golden/helm/regexp.json */
#include "helm/go/regexp.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const char *s = (const char *)p, *end = s + n, *expr_end = memchr(s, 0, MIN(n, (size_t)60));
    if (expr_end == NULL || n > 400) return 0;
    const char *text = expr_end + 1, *text_end = memchr(text, 0, (size_t)(end - text));
    if (text_end == NULL) text_end = end;
    const char *with = text_end < end ? text_end + 1 : end;
    size_t len = (size_t)(text_end - text), count;
    cleanup_arena struct arena a = {0};
    const struct regexp *re;
    cleanup_error struct error *e = regexp_compile(&a, s, (size_t)(expr_end - s), &re);
    if (e != NULL) return 0;
    struct regexp_span *groups = arena_calloc(&a, regexp_group_count(re), sizeof(*groups));
    bool found = regexp_match(re, text, len, 0, groups, regexp_group_count(re));
    for (size_t i = 0; found && i < regexp_group_count(re); i++)
        if (groups[i].start > groups[i].end || groups[i].end > (int64_t)len) abort();
    struct regexp_span *all = regexp_find_all(&a, re, text, len, -1, &count);
    if (found != (count > 0) || (found && (all[0].start != groups[0].start || all[0].end != groups[0].end))) abort();
    regexp_split(&a, re, text, len, -1, &count);
    cleanup_buf struct buf out = {.max = 1 << 20};
    regexp_replace_all(re, text, len, with, (size_t)(end - with), false, &out);
    return 0;
}

/* A version, a line end, constraints: what parses compares as equal to itself written out, and checks end.
 * seeds: tests/golden/helm/semver_constraints.json */
#include "helm/go/semver.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cleanup_arena struct arena a = {0};
    char *text = arena_strndup(&a, (const char *)p, n), *constraints = strchr(text, '\n');
    struct semver v, again, strict;
    const struct semver_constraints *c;
    if (constraints != NULL) *constraints++ = '\0';
    cleanup_error struct error *e = semver_parse(&a, text, &v), *f = semver_parse_strict(&a, text, &strict);
    if (f == NULL && e == NULL && semver_compare(&v, &strict) != 0) abort();
    if (e == NULL) {
        cleanup_error struct error *g = semver_parse(&a, semver_format(&a, &v), &again);
        if (g != NULL || semver_compare(&v, &again) != 0) abort();
    }
    if (constraints == NULL || strlen(constraints) > 200) return 0;
    cleanup_error struct error *h = semver_constraints_parse(&a, constraints, &c);
    if (h == NULL && e == NULL) semver_check(c, &v);
    return 0;
}

/* The small languages of the API: label and field selectors, quantities, durations, times. What is written from a value is
 * read as the same value. */
#include "base/clock.h"
#include "base/str.h"
#include "schema/schema.h"

static const char *value_of(const char *field, void *arg) { return str_eq(field, "metadata.name") ? arg : NULL; }

static void selectors(struct arena *a, const char *s) {
    struct selector *one, *two;
    const struct json *labels = json_make(a, "{'app':'web','tier':'','n':'3'}");
    cleanup_error struct error *e = label_selector_parse(a, s, &one);
    if (e == NULL) {
        const char *text = label_selector_text(a, one);
        cleanup_error struct error *again = label_selector_parse(a, text, &two);
        if (again != NULL || label_selector_matches(one, labels) != label_selector_matches(two, labels)) abort();
    }
    cleanup_error struct error *f = field_selector_parse(a, s, &one);
    if (f == NULL) field_selector_matches(one, value_of, a);
}

static void quantities(struct arena *a, const char *s) {
    struct quantity q, again;
    const char *problem;
    quantity_normalize(a, s, &problem);
    if (!quantity_parse(s, &q)) return;
    const char *text = quantity_format(a, &q);
    int64_t value = quantity_value(&q);
    bool huge = value == INT64_MAX || value == INT64_MIN; /* 10^21 has no suffix, and upstream writes it as 1 */
    if (!quantity_parse(text, &again) || (!huge && value != quantity_value(&again))) abort();
    quantity_add(&again, &q);
    quantity_sub(&again, &q);
    quantity_milli_value(&q);
}

static void times(const char *s) {
    int64_t value, again;
    char text[TIME_STRING_MAX];
    if (duration_parse(s, &value)) time_human_duration(text, value);
    if (time_parse(s, &value) && (!time_parse(time_format(text, value), &again) || again > value)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    cleanup_arena struct arena a = {0};
    const char *s = arena_strndup(&a, (const char *)p, n);
    selectors(&a, s);
    quantities(&a, s);
    times(s);
    return 0;
}

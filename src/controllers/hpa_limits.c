#include "controllers/hpa.h"
#include "base/str.h"
#include <math.h>

enum { KEEP = 3600 }; /* seconds: the longest window and period there are */

struct sample { int64_t time, value; };
struct samples {
    struct sample *items;
    size_t len;
};
struct hpa_memory {
    struct samples recommended, ups, downs;
};

struct hpa_memory *hpa_memory_new(void) { return xcalloc(1, sizeof(struct hpa_memory)); }

void hpa_memory_free(void *p) {
    struct hpa_memory *m = p;
    free(m->recommended.items);
    free(m->ups.items);
    free(m->downs.items);
    free(m);
}

static void add(struct samples *s, int64_t now, int64_t value) {
    size_t kept = 0;
    for (size_t i = 0; i < s->len; i++) {
        if (s->items[i].time > now - SECONDS(KEEP)) s->items[kept++] = s->items[i];
    }
    s->items = xrealloc(s->items, (kept + 1) * sizeof(*s->items));
    s->items[kept] = (struct sample){now, value};
    s->len = kept + 1;
}

void hpa_remember_scaling(struct hpa_memory *m, int64_t now, int64_t from, int64_t to) {
    if (to > from) add(&m->ups, now, to - from);
    else add(&m->downs, now, from - to);
}

static int64_t sum_since(const struct samples *s, int64_t since) {
    int64_t n = 0;
    for (size_t i = 0; i < s->len; i++) n += s->items[i].time > since ? s->items[i].value : 0;
    return n;
}

/* ---- stabilization ---- */

static const struct json *rules(const struct hpa_run *h, const char *direction) { return json_get(json_get(h->o, "spec.behavior"), direction); }

/* Not below the lowest of the scale-up window, not above the highest of the scale-down window. Without behavior only the
 * latter counts. */
static int64_t stabilize(struct hpa_run *h, struct hpa_memory *m, int64_t wanted) {
    bool behavior = json_get(h->o, "spec.behavior") != NULL;
    int64_t up_since = h->now - SECONDS(json_int(rules(h, "scaleUp"), "stabilizationWindowSeconds", 0));
    int64_t down_since = h->now - SECONDS(json_int(rules(h, "scaleDown"), "stabilizationWindowSeconds", 300));
    int64_t low = wanted, high = wanted, result;
    if (m->recommended.len == 0) add(&m->recommended, h->now, h->current);
    for (size_t i = 0; i < m->recommended.len; i++) {
        const struct sample *s = &m->recommended.items[i];
        if (s->time > up_since) low = MIN(low, s->value);
        if (s->time > down_since) high = MAX(high, s->value);
    }
    add(&m->recommended, h->now, wanted);
    if (!behavior) result = high;
    else result = MIN(MAX(h->current, low), high);
    if (result == wanted) h->o = hpa_condition(h, "AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size");
    else if (result > wanted)
        h->o = hpa_condition(h, "AbleToScale", "True", "ScaleDownStabilized", "recent recommendations were higher than current one, applying the highest recent recommendation");
    else h->o = hpa_condition(h, "AbleToScale", "True", "ScaleUpStabilized", "recent recommendations were lower than current one, applying the lowest recent recommendation");
    return result;
}

/* ---- rates ---- */

/* How far the policies let the replicas go in this direction. */
static int64_t rate_limit(const struct hpa_run *h, const struct hpa_memory *m, bool up) {
    const struct json *r = rules(h, up ? "scaleUp" : "scaleDown");
    const char *select = json_str_or(r, "selectPolicy", "Max");
    bool widest = !str_eq(select, "Min"), first = true;
    int64_t result = h->current;
    if (str_eq(select, "Disabled")) return h->current;
    JSON_EACH(p, json_get(r, "policies")) {
        int64_t since = h->now - SECONDS(json_int(p, "periodSeconds", 15)), value = json_int(p, "value", 0), limit;
        int64_t start = h->current - sum_since(&m->ups, since) + sum_since(&m->downs, since);
        if (json_str_is(p, "type", "Pods")) limit = up ? start + value : start - value;
        else if (up) limit = (int64_t)ceil((double)start * (1 + (double)value / 100));
        else limit = (int64_t)((double)start * (1 - (double)value / 100));
        if (first) result = limit;
        else result = up == widest ? MAX(result, limit) : MIN(result, limit);
        first = false;
    }
    return up ? MAX(result, h->current) : MIN(result, h->current);
}

struct bound {
    int64_t value;
    const char *reason, *message;
};
static const struct bound too_many = {0, "TooManyReplicas", "the desired replica count is more than the maximum replica count"};
static const struct bound too_few = {0, "TooFewReplicas", "the desired replica count is less than the minimum replica count"};
static const struct bound too_fast = {0, "ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate"};
static const struct bound too_fast_down = {0, "ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate"};

static struct bound bound_of(struct bound b, int64_t value) {
    b.value = value;
    return b;
}

static int64_t apply_bounds(struct hpa_run *h, int64_t wanted, struct bound low, struct bound high) {
    const struct bound *hit = wanted < low.value ? &low : wanted > high.value ? &high : NULL;
    if (hit) h->o = hpa_condition(h, "ScalingLimited", "True", hit->reason, "%s", hit->message);
    else h->o = hpa_condition(h, "ScalingLimited", "False", "DesiredWithinRange", "the desired count is within the acceptable range");
    return hit ? hit->value : wanted;
}

int64_t hpa_limit(struct hpa_run *h, struct hpa_memory *m, int64_t recommended) {
    int64_t wanted = stabilize(h, m, recommended), up = MAX(2 * h->current, 4), down = 0;
    if (json_get(h->o, "spec.behavior")) {
        up = wanted > h->current ? rate_limit(h, m, true) : INT64_MAX;
        down = wanted < h->current ? rate_limit(h, m, false) : 0;
    }
    return apply_bounds(h, wanted, h->min < down ? bound_of(too_fast_down, down) : bound_of(too_few, h->min),
                        h->max > up ? bound_of(too_fast, up) : bound_of(too_many, h->max));
}

#include "controllers/job.h"
#include "base/str.h"

static struct indexes add(struct arena *a, struct indexes x, struct interval v) {
    struct indexes out = {.items = arena_calloc(a, x.len + 1, sizeof(*x.items))};
    bool placed = false;
    for (size_t i = 0; i < x.len; i++) {
        struct interval *it = &x.items[i];
        if (it->last + 1 < v.first) out.items[out.len++] = *it;
        else if (v.last + 1 < it->first) {
            if (!placed) out.items[out.len++] = v;
            placed = true;
            out.items[out.len++] = *it;
        } else v = (struct interval){MIN(v.first, it->first), MAX(v.last, it->last)};
    }
    if (!placed) out.items[out.len++] = v;
    return out;
}

struct indexes indexes_parse(struct arena *a, const char *text, int64_t limit) {
    struct indexes out = {0};
    if (!text || !*text) return out;
    size_t n;
    char **parts = str_split(a, text, ',', &n);
    for (size_t i = 0; i < n; i++) {
        char *dash = strchr(parts[i], '-');
        struct interval v;
        if (dash) *dash = '\0';
        if (!str_to_int64(parts[i], &v.first) || !str_to_int64(dash ? dash + 1 : parts[i], &v.last) || v.first >= limit) continue;
        v.last = MIN(v.last, limit - 1);
        out = add(a, out, v);
    }
    return out;
}

struct indexes indexes_with(struct arena *a, struct indexes x, int64_t index) { return add(a, x, (struct interval){index, index}); }

bool indexes_has(struct indexes x, int64_t index) {
    for (size_t i = 0; i < x.len; i++) {
        if (x.items[i].first <= index && index <= x.items[i].last) return true;
    }
    return false;
}

int64_t indexes_total(struct indexes x) {
    int64_t n = 0;
    for (size_t i = 0; i < x.len; i++) n += x.items[i].last - x.items[i].first + 1;
    return n;
}

int64_t indexes_common(struct indexes x, struct indexes y) {
    int64_t n = 0;
    for (size_t i = 0; i < x.len; i++) {
        for (size_t k = 0; k < y.len; k++)
            n += MAX(MIN(x.items[i].last, y.items[k].last) - MAX(x.items[i].first, y.items[k].first) + 1, 0);
    }
    return n;
}

/* Two neighbours are written "1,2", three "1-3". */
const char *indexes_text(struct arena *a, struct indexes x) {
    cleanup_buf struct buf b = {0};
    for (size_t i = 0; i < x.len; i++) {
        int64_t first = x.items[i].first, last = x.items[i].last;
        buf_printf(&b, "%s%ld", i ? "," : "", first);
        if (last > first) buf_printf(&b, "%s%ld", last == first + 1 ? "," : "-", last);
    }
    return arena_strdup(a, buf_str(&b));
}

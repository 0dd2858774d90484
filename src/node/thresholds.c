/* Thresholds of eviction in upstream's notation: "memory.available<100Mi,nodefs.available<10%". */
#include "node/eviction.h"
#include "node/machine.h"
#include <math.h>

static const struct { const char *name; enum eviction_signal signal; } signals[] = {
    {"memory.available", SIGNAL_MEMORY},     {"nodefs.available", SIGNAL_DISK},       {"nodefs.inodesFree", SIGNAL_INODES},
    {"imagefs.available", SIGNAL_IMAGES},    {"imagefs.inodesFree", SIGNAL_IMAGE_INODES}, {"pid.available", SIGNAL_PIDS},
};

static const char *const defaults[] = {"memory.available<100Mi", "nodefs.available<10%", "nodefs.inodesFree<5%", "imagefs.available<15%",
                                       "imagefs.inodesFree<5%", NULL};

static bool percent_parse(const char *text, double *out) {
    char *end;
    double percent = strtod(text, &end);
    if (end == text || !str_eq(end, "%") || !(percent >= 0 && percent <= 100)) return false;
    *out = percent;
    return true;
}

static struct error *parse_one(const char *text, struct eviction_thresholds *out) {
    struct quantity q;
    const char *less = strchr(text, '<');
    for (size_t i = 0; less && i < ARRAY_LEN(signals); i++) {
        if (strlen(signals[i].name) != (size_t)(less - text) || strncmp(text, signals[i].name, (size_t)(less - text)) != 0) continue;
        struct eviction_threshold *t = &out->of[signals[i].signal];
        *t = (struct eviction_threshold){0};
        if (percent_parse(less + 1, &t->percent)) return NULL;
        if (!quantity_parse(less + 1, &q) || quantity_value(&q) < 0) return error_new("--eviction-hard: \"%s\" is neither an amount such as 100Mi nor a percentage", less + 1);
        t->amount = quantity_value(&q);
        return NULL;
    }
    return error_new("--eviction-hard: \"%s\" is no threshold; expected SIGNAL<AMOUNT, where SIGNAL is memory.available, nodefs.available, "
                     "nodefs.inodesFree, imagefs.available, imagefs.inodesFree or pid.available", text);
}

struct error *eviction_thresholds_parse(const char *const *list, struct eviction_thresholds *out) {
    *out = (struct eviction_thresholds){0};
    for (const char *const *text = list && *list ? list : defaults; *text; text++) TRY(parse_one(*text, out));
    return NULL;
}

int64_t eviction_threshold_of(const struct eviction_threshold *t, int64_t capacity) {
    return t->percent > 0 ? (int64_t)floor((double)capacity * t->percent / 100) : t->amount;
}

int64_t eviction_memory_allocatable(const struct node *n) {
    int64_t total = machine_memory_total();
    return total - eviction_threshold_of(&n->thresholds.of[SIGNAL_MEMORY], total);
}

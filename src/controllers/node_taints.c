#include "controllers/node_taints.h"
#include "base/str.h"

struct swap {
    const struct clock *clock;
    const struct taint *add, *remove;
    size_t adds, removes;
};

static bool is_taint(const struct json *t, const struct taint *want) { return json_str_is(t, "key", want->key) && json_str_is(t, "effect", want->effect); }

static bool listed(const struct json *t, const struct taint *list, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (is_taint(t, &list[i])) return true;
    }
    return false;
}

bool node_has_taint(const struct json *node, const char *key, const char *effect) {
    JSON_EACH(t, json_get(node, "spec.taints")) {
        if (is_taint(t, &(struct taint){key, effect})) return true;
    }
    return false;
}

static const struct json *swapped(struct arena *a, struct doc *node, void *arg) {
    const struct swap *s = arg;
    const struct json *old = json_get(node->root, "spec.taints");
    struct json_array taints = {.arena = a};
    char now[TIME_STRING_MAX];
    JSON_EACH(t, old) {
        if (!listed(t, s->remove, s->removes)) json_array_add(&taints, t);
    }
    bool changed = taints.len != json_len(old);
    for (size_t i = 0; i < s->adds; i++) {
        if (node_has_taint(node->root, s->add[i].key, s->add[i].effect)) continue;
        changed = true;
        json_array_add(&taints, json_make(a, "{'key':%s,'effect':%s,'timeAdded':%s}", s->add[i].key, s->add[i].effect, time_format(now, clock_wall(s->clock))));
    }
    return changed ? json_with(a, node->root, "spec.taints", taints.len ? json_array_done(&taints) : NULL) : NULL;
}

struct error *node_swap_taints(struct runner *r, const char *node, const struct taint *add, size_t adds, const struct taint *remove, size_t removes) {
    struct swap s = {r->clock, add, remove, adds, removes};
    struct error *e = client_modify(r->client, &resource_nodes, NULL, node, NULL, swapped, &s, NULL);
    return error_is(e, "NotFound") ? error_free(e), NULL : e;
}

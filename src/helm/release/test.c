/* Running a release's tests: its hooks of that event. */
#include "base/str.h"
#include "helm/release/action.h"

static bool any(const char *const *list) { return list && list[0]; }

static bool is_wanted(const struct test_action *o, const char *name) {
    if (any(o->without) && str_in(name, o->without)) return false;
    return !any(o->only) || str_in(name, o->only);
}

/* Hooks that are left out come first in the record afterwards. */
static size_t left_out_first(struct action *x, struct release *r, const struct test_action *o) {
    struct release_hook *sorted = arena_calloc(x->arena, r->hook_count + 1, sizeof(*sorted));
    size_t n = 0, skipped = 0;
    for (int wanted = 0; wanted < 2; wanted++) {
        if (wanted) skipped = n;
        for (size_t i = 0; i < r->hook_count; i++)
            if (is_wanted(o, r->hooks[i].hook.name) == (wanted == 1)) sorted[n++] = r->hooks[i];
    }
    r->hooks = sorted;
    return skipped;
}

struct error *action_test(struct action *x, const char *name, const struct test_action *o, struct release **out) {
    *out = NULL;
    TRY(kube_reachable(x->kube));
    cleanup_error struct error *bad = action_check_name(name);
    if (bad) return error_new("releaseTest: Release name is invalid: %s", name);
    TRY(storage_last(&x->storage, name, out));
    struct release *r = *out;
    size_t skipped = left_out_first(x, r, o), all = r->hook_count;
    r->hooks += skipped; /* the record has only those that run while they run */
    r->hook_count -= skipped;
    struct error *e = action_run_hooks(x, r, HOOK_TEST, o->timeout);
    r->hooks -= skipped;
    r->hook_count = all;
    struct error *unrecorded = storage_update(&x->storage, r);
    if (!e) return unrecorded;
    error_free(unrecorded);
    return e;
}

struct error *action_test_logs(struct action *x, const struct release *r, const struct test_action *o) {
    struct release_hook **hooks = arena_calloc(x->arena, r->hook_count + 1, sizeof(*hooks));
    for (size_t i = 0; i < r->hook_count; i++) hooks[i] = &r->hooks[i];
    action_sort_hooks(hooks, r->hook_count);
    for (size_t i = 0; i < r->hook_count; i++)
        for (size_t j = 0; j < hooks[i]->hook.event_count; j++) {
            const char *pod = hooks[i]->hook.name, *text;
            size_t len;
            if (hooks[i]->hook.events[j] != HOOK_TEST || !is_wanted(o, pod)) continue;
            struct error *e = kube_logs(x->kube, x->ns, pod, NULL, &text, &len);
            if (e) return error_wrap(e, "unable to get pod logs for %s", pod);
            fprintf(x->out, "POD LOGS: %s\n", pod);
            fwrite(text, 1, len, x->out);
            fputc('\n', x->out);
        }
    return NULL;
}

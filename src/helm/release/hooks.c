/* Hooks: jobs, pods and other objects that are made at points of a release's life, watched and cleaned up as their annotations say. */
#include "base/str.h"
#include "helm/release/action.h"

static int compare(const struct release_hook *a, const struct release_hook *b) {
    if (a->hook.weight != b->hook.weight) return a->hook.weight < b->hook.weight ? -1 : 1;
    return strcmp(a->hook.name, b->hook.name);
}

void action_sort_hooks(struct release_hook **hooks, size_t count) {
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && compare(hooks[j], hooks[j - 1]) < 0; j--) {
            struct release_hook *h = hooks[j];
            hooks[j] = hooks[j - 1];
            hooks[j - 1] = h;
        }
}

static bool has_policy(const char *const *policies, const char *policy) { return policies && str_in(policy, policies); }

static struct error *delete_by_policy(struct action *x, const struct release_hook *h, const char *policy, int64_t timeout) {
    struct kube_objects objects;
    struct error **errors;
    size_t count;
    if (strcmp(h->hook.kind, "CustomResourceDefinition") == 0 || !has_policy(h->hook.delete_policies, policy)) return NULL;
    struct error *e = kube_build(x->kube, h->hook.manifest, strlen(h->hook.manifest), false, &objects);
    if (e) return error_wrap(e, "unable to build kubernetes object for deleting hook %s", h->hook.path);
    kube_delete(x->kube, &objects, "Background", &errors, &count);
    if (count == 0) return kube_wait_deleted(x->kube, &objects, timeout);
    cleanup_buf struct buf all = {0};
    for (size_t i = 0; i < count; i++) {
        buf_printf(&all, "%s%s", i ? "; " : "", errors[i]->message);
        error_free(errors[i]);
    }
    return error_new("%s", all.data);
}

/* ---- logs ---- */

static void write_log(const char *pod UNUSED, const char *container UNUSED, const char *text, size_t len, void *arg) {
    fwrite(text, 1, len, arg);
}

static void print_logs(struct action *x, const struct release_hook *h, const char *policy) {
    const struct json *object;
    const struct hook *k = &h->hook;
    bool job = strcmp(k->kind, "Job") == 0;
    if (!has_policy(k->output_log_policies, policy) || (!job && strcmp(k->kind, "Pod") != 0)) return;
    struct error *e = yaml_parse(x->arena, k->manifest, strlen(k->manifest), NULL, NULL, &object);
    if (!e) {
        const char *ns = json_str_or(object, "metadata.namespace", x->ns);
        e = kube_pod_logs(x->kube, *ns ? ns : x->ns, job ? arena_printf(x->arena, "job-name=%s", k->name) : NULL,
                          job ? NULL : arena_printf(x->arena, "metadata.name=%s", k->name), write_log, x->err);
    }
    if (e) action_complain(x, "error outputting logs for hook failure: %s", e->message);
    error_free(e);
}

/* ---- running ---- */

static struct error *failed(struct action *x, struct release_hook **hooks, size_t at, int64_t timeout, struct error *e) {
    struct release_hook *h = hooks[at];
    h->phase = "Failed";
    print_logs(x, h, "hook-failed");
    cleanup_error struct error *left = delete_by_policy(x, h, "hook-failed", timeout);
    if (left) action_complain(x, "error deleting the hook resource on hook failure: %s", left->message);
    for (size_t i = 0; i < at; i++) {
        struct error *other = delete_by_policy(x, hooks[i], "hook-succeeded", timeout);
        if (!other) continue;
        error_free(e);
        return other;
    }
    return e;
}

static struct error *run_one(struct action *x, struct release *r, struct release_hook **hooks, size_t at, enum hook_event event,
                             int64_t timeout) {
    static const char *const usual[] = {"before-hook-creation", NULL};
    struct release_hook *h = hooks[at];
    struct kube_objects objects;
    if (!h->hook.delete_policies || !h->hook.delete_policies[0]) h->hook.delete_policies = arena_dup(x->arena, usual, sizeof(usual));
    TRY(delete_by_policy(x, h, "before-hook-creation", timeout));
    struct error *e = kube_build(x->kube, h->hook.manifest, strlen(h->hook.manifest), true, &objects);
    if (e) return error_wrap(e, "unable to build kubernetes object for %s hook %s", hook_event_names[event], h->hook.path);
    h->started = go_now(x->arena);
    h->completed = go_zero_time;
    h->phase = "Running";
    action_record(x, r);
    h->phase = "Unknown";
    if ((e = kube_create(x->kube, &objects)) != NULL) {
        h->completed = go_now(x->arena);
        h->phase = "Failed";
        return error_wrap(e, "warning: Hook %s %s failed", hook_event_names[event], h->hook.path);
    }
    e = kube_watch_until_ready(x->kube, &objects, timeout);
    h->completed = go_now(x->arena);
    if (e) return failed(x, hooks, at, timeout, e);
    h->phase = "Succeeded";
    return NULL;
}

struct error *action_run_hooks(struct action *x, struct release *r, enum hook_event event, int64_t timeout) {
    struct release_hook **hooks = arena_calloc(x->arena, r->hook_count * ARRAY_LEN(r->hooks->hook.events) + 1, sizeof(*hooks));
    size_t count = 0;
    for (size_t i = 0; i < r->hook_count; i++)
        for (size_t j = 0; j < r->hooks[i].hook.event_count; j++)
            if (r->hooks[i].hook.events[j] == event) hooks[count++] = &r->hooks[i];
    action_sort_hooks(hooks, count);
    for (size_t i = 0; i < count; i++) TRY(run_one(x, r, hooks, i, event, timeout));
    for (size_t i = count; i-- > 0;) {
        print_logs(x, hooks[i], "hook-succeeded");
        TRY(delete_by_policy(x, hooks[i], "hook-succeeded", timeout));
    }
    return NULL;
}

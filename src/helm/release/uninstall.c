/* Removing a release: its objects, and its records unless they are to be kept. */
#include "base/str.h"
#include "client/object.h"
#include "helm/release/action.h"

/* Objects that are only told to stay do not come here. */
struct remains {
    const char *kept; /* "[Kind] name\n" lines */
    struct kube_objects deleted;
};

struct document {
    const char *text, *kind;
    const struct json *object;
};

/* In the order of helm's uninstallation: by kinds; equal ones as sort.Strings has their names "manifest-N". */
static struct error *sorted_documents(struct arena *a, const char *manifest, struct document **out, size_t *count) {
    const char **texts = manifests_split(a, manifest, strlen(manifest), count);
    struct document *d = *out = arena_calloc(a, *count + 1, sizeof(*d));
    const char **names = arena_calloc(a, *count + 1, sizeof(*names));
    for (size_t i = 0; i < *count; i++) {
        const char *name = arena_printf(a, "manifest-%zu", i);
        const struct json *object;
        struct error *e = yaml_parse(a, texts[i], strlen(texts[i]), NULL, NULL, &object);
        if (e) return error_wrap(e, "corrupted release record. You must manually delete the resources: YAML parse error on %s", name);
        const char *kind = json_str_or(object, "kind", "");
        size_t at = i;
        for (; at > 0; at--) {
            int order = manifest_compare_kinds(d[at - 1].kind, kind, true);
            if (order < 0 || (order == 0 && strcmp(names[at - 1], name) <= 0)) break;
            d[at] = d[at - 1];
            names[at] = names[at - 1];
        }
        d[at] = (struct document){texts[i], kind, object};
        names[at] = name;
    }
    return NULL;
}

/* NULL: not a policy of this name. Other policies than keep neither keep nor delete, as in helm. */
static const char *policy_of(struct arena *a, const struct json *o) {
    const char *s = object_annotation(o, "helm.sh/resource-policy");
    if (!s) return NULL;
    char *lower = arena_strdup(a, s + strspn(s, " \t\n"));
    size_t n = strlen(lower);
    while (n > 0 && strchr(" \t\n", lower[n - 1])) n--;
    lower[n] = '\0';
    for (char *p = lower; *p; p++) *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
    return lower;
}

/* true: something could not be deleted; the details are logged only, as in helm. */
static bool delete_objects(struct action *x, const struct release *r, const char *cascade, struct remains *out) {
    static const char *const policies[][2] = {{"orphan", "Orphan"}, {"foreground", "Foreground"}, {"background", "Background"}};
    struct arena *a = x->arena;
    const char *propagation = NULL;
    cleanup_buf struct buf kept = {0}, rest = {0};
    struct document *documents;
    struct error **errors;
    size_t count;
    for (size_t i = 0; i < ARRAY_LEN(policies); i++)
        if (strcmp(cascade, policies[i][0]) == 0) propagation = policies[i][1];
    if (!propagation) kube_log(x->kube, "uninstall: given cascade value: %s, defaulting to delete propagation background", cascade);
    cleanup_error struct error *e = sorted_documents(a, r->manifest, &documents, &count);
    for (size_t i = 0; !e && i < count; i++) {
        const char *policy = policy_of(a, documents[i].object);
        if (!policy) buf_printf(&rest, "\n---\n%s", documents[i].text);
        else if (strcmp(policy, "keep") == 0) buf_printf(&kept, "[%s] %s\n", documents[i].kind, json_str_or(documents[i].object, "metadata.name", ""));
    }
    out->kept = arena_strdup(a, buf_str(&kept));
    if (!e) {
        e = kube_build(x->kube, buf_str(&rest), rest.len, false, &out->deleted);
        if (e) error_wrap(e, "unable to build kubernetes objects for delete");
    }
    if (e) {
        kube_log(x->kube, "uninstall: Failed to delete release: [%s]", e->message);
        return true;
    }
    if (out->deleted.len == 0) return false;
    kube_delete(x->kube, &out->deleted, propagation ? propagation : "Background", &errors, &count);
    for (size_t i = 0; i < count; i++) {
        kube_log(x->kube, "uninstall: Failed to delete release: [%s]", errors[i]->message);
        error_free(errors[i]);
    }
    return count > 0;
}

static struct error *purge(struct action *x, const struct release_list *all) {
    for (size_t i = 0; i < all->len; i++) {
        struct error *e = storage_delete(&x->storage, all->items[i]->name, all->items[i]->version);
        if (e) return error_wrap(e, "uninstall: Failed to purge the release");
    }
    return NULL;
}

struct complaints {
    struct buf text;
    size_t count;
};

static void complain(struct complaints *c, struct error *e) {
    if (!e) return;
    buf_printf(&c->text, "%s%s", c->count++ ? "; " : "", e->message);
    error_free(e);
}

static struct error *finish(struct action *x, struct release *r, const struct release_list *all, const struct uninstall_action *o,
                            struct complaints *c, const struct remains *remains) {
    if (o->wait) complain(c, kube_wait_deleted(x->kube, &remains->deleted, o->timeout));
    if (!o->no_hooks) complain(c, action_run_hooks(x, r, HOOK_POST_DELETE, o->timeout));
    release_set_status(r, RELEASE_UNINSTALLED, *o->description ? o->description : "Uninstallation complete");
    if (!o->keep_history) {
        kube_log(x->kube, "purge requested for %s", r->name);
        complain(c, purge(x, all));
    } else {
        cleanup_error struct error *e = storage_update(&x->storage, r);
        if (e) kube_log(x->kube, "uninstall: Failed to store updated release: %s", e->message);
    }
    return c->count ? error_new("uninstallation completed with %zu error(s): %s", c->count, c->text.data) : NULL;
}

static struct error *uninstall(struct action *x, struct release *r, const struct release_list *all, const struct uninstall_action *o,
                               const char **info) {
    struct remains remains = {0};
    kube_log(x->kube, "uninstall: Deleting %s", r->name);
    release_set_status(r, RELEASE_UNINSTALLING, "Deletion in progress (or silently failed)");
    r->deleted = go_now(x->arena);
    if (!o->no_hooks) TRY(action_run_hooks(x, r, HOOK_PRE_DELETE, o->timeout));
    cleanup_error struct error *e = storage_update(&x->storage, r);
    if (e) kube_log(x->kube, "uninstall: Failed to store updated release: %s", e->message);
    if (delete_objects(x, r, o->cascade, &remains)) return error_new("failed to delete release: %s", r->name);
    if (*remains.kept) *info = arena_printf(x->arena, "These resources were kept due to the resource policy:\n%s", remains.kept);
    struct complaints c = {0};
    struct error *result = finish(x, r, all, o, &c, &remains);
    buf_free(&c.text);
    return result;
}

struct error *action_uninstall(struct action *x, const char *name, const struct uninstall_action *o, const char **info) {
    struct release_list all;
    struct release *r;
    *info = "";
    TRY(kube_reachable(x->kube));
    if (o->dry_run) return action_release(x, name, 0, &r);
    cleanup_error struct error *bad = action_check_name(name);
    if (bad) return error_new("uninstall: Release name is invalid: %s", name);
    struct error *e = storage_history(&x->storage, name, &all);
    if (e && o->ignore_not_found) {
        error_free(e);
        *info = NULL;
        return NULL;
    }
    if (e) return error_wrap(e, "uninstall: Release not loaded: %s", name);
    release_sort_by_revision(&all);
    r = all.items[all.len - 1];
    if (r->status != RELEASE_UNINSTALLED) return uninstall(x, r, &all, o, info);
    return o->keep_history ? error_new("the release named \"%s\" is already deleted", name) : purge(x, &all);
}

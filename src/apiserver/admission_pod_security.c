/* PodSecurity: which of the Pod Security Standards a namespace's labels ask for, and in which version
 * (k8s.io/pod-security-admission/admission). Nobody is exempt, and the defaults are privileged: upstream's without a configuration file. */
#include "apiserver/admission.h"
#include "apiserver/pod_security.h"

#define LABEL "pod-security.kubernetes.io/"

/* ---- labels ---- */

static const char *const level_names[] = {[LEVEL_PRIVILEGED] = "privileged", [LEVEL_BASELINE] = "baseline", [LEVEL_RESTRICTED] = "restricted"};

struct level_version {
    enum pod_security_level level;
    int64_t minor;
    bool level_given, version_given;
};
enum mode { ENFORCE, AUDIT, WARN, MODES };
struct policy {
    struct level_version of[MODES];
};
static const struct { const char *level, *version; enum pod_security_level if_bad; } modes[MODES] = {
    [ENFORCE] = {LABEL "enforce", LABEL "enforce-version", LEVEL_RESTRICTED},
    [AUDIT] = {LABEL "audit", LABEL "audit-version", LEVEL_PRIVILEGED},
    [WARN] = {LABEL "warn", LABEL "warn-version", LEVEL_PRIVILEGED},
};

static bool parse_level(const char *text, enum pod_security_level *out) {
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
        if (str_eq(text, level_names[i])) return *out = (enum pod_security_level)i, true;
    return false;
}

/* "latest" or v1.N without leading zeros. */
static bool parse_version(const char *text, int64_t *minor) {
    *minor = POD_SECURITY_LATEST;
    if (str_eq(text, "latest")) return true;
    const char *digits = str_starts(text, "v1.") ? text + 3 : "";
    int64_t n;
    if (!*digits || strspn(digits, "0123456789") != strlen(digits) || (*digits == '0' && digits[1]) || !str_to_int64(digits, &n)) return false;
    *minor = n;
    return true;
}

static void label_invalid(struct field_errors *e, const char *key, const char *value, const char *why) {
    field_invalid_str(e, FIELD_KEY(FIELD(FIELD(NULL, "metadata"), "labels"), key), value, "%s", why);
}

static struct level_version mode_of(const struct json *labels, enum mode m, struct field_errors *e) {
    struct level_version v = {.level = LEVEL_PRIVILEGED, .minor = POD_SECURITY_LATEST};
    const char *level = json_str(json_member(labels, modes[m].level), NULL), *version = json_str(json_member(labels, modes[m].version), NULL);
    v.level_given = level && parse_level(level, &v.level);
    if (level && !v.level_given) {
        label_invalid(e, modes[m].level, level, "must be one of privileged, baseline, restricted");
        v.level = modes[m].if_bad;
        v.level_given = m != ENFORCE; /* then the warnings do not follow it */
    }
    v.version_given = version != NULL;
    if (version && !parse_version(version, &v.minor)) label_invalid(e, modes[m].version, version, "must be \"latest\" or \"v1.x\"");
    return v;
}

/* PolicyToEvaluate: warnings are as strict as what is enforced, unless the namespace says otherwise. */
static struct policy policy_of(const struct json *labels, struct field_errors *e) {
    struct policy p;
    for (size_t m = 0; m < MODES; m++) p.of[m] = mode_of(labels, m, e);
    struct level_version *warn = &p.of[WARN];
    if (!warn->level_given && p.of[ENFORCE].level_given && p.of[ENFORCE].level > warn->level) {
        warn->level = p.of[ENFORCE].level;
        if (!warn->version_given) warn->minor = p.of[ENFORCE].minor;
    }
    return p;
}

static bool same(const struct level_version *a, const struct level_version *b) { return a->level == b->level && a->minor == b->minor; }

static const char *text_of(struct arena *a, const struct level_version *v) {
    if (v->minor == POD_SECURITY_LATEST) return arena_printf(a, "%s:latest", level_names[v->level]);
    return arena_printf(a, "%s:v1.%lld", level_names[v->level], (long long)v->minor);
}

/* ---- namespaces ---- */

static const char *fields_text(const struct field_errors *e) { return e->len ? field_errors_text(e) : ""; }

/* Pods that are there already are not refused, but told of when the level is raised: those with the same faults together, one of each
 * controller first, 3,000 at most. */
#define PODS_CHECKED 3000
struct fault { const char *reasons, *pod; size_t count; };
struct existing {
    struct arena *arena;
    const struct level_version *level;
    struct fault *faults;
    size_t fault_count, fault_cap, total, checked;
    struct map controllers; /* UIDs of which a pod has been looked at */
    bool rest;              /* the second time round: the other pods of controllers */
};

static bool its_turn(struct existing *e, struct doc *d) {
    const char *controller = NULL;
    JSON_EACH(o, json_get(d->root, "metadata.ownerReferences"))
        if (json_bool(o, "controller", false)) controller = json_str_or(o, "uid", "");
    if (e->rest) return controller && !str_eq(map_get(&e->controllers, controller), doc_uid(d));
    e->total++;
    if (controller == NULL) return true;
    if (map_has(&e->controllers, controller)) return false;
    return map_set(&e->controllers, controller, arena_strdup(e->arena, doc_uid(d))), true;
}

static void add_fault(struct existing *e, const char *reasons, const char *pod) {
    for (size_t i = 0; i < e->fault_count; i++) {
        struct fault *f = &e->faults[i];
        if (!str_eq(f->reasons, reasons)) continue;
        f->count++;
        if (strcmp(pod, f->pod) < 0) f->pod = arena_strdup(e->arena, pod);
        return;
    }
    if (e->fault_count == e->fault_cap) {
        size_t cap = MAX(8, e->fault_cap * 2);
        e->faults = arena_grow(e->arena, e->faults, e->fault_cap * sizeof(*e->faults), cap * sizeof(*e->faults));
        e->fault_cap = cap;
    }
    e->faults[e->fault_count++] = (struct fault){reasons, arena_strdup(e->arena, pod), 1};
}

static bool check_existing(struct doc *d, void *arg) {
    struct existing *e = arg;
    if (!its_turn(e, d) || e->checked >= PODS_CHECKED) return true;
    e->checked++;
    struct pod_security_result r = pod_security_evaluate(e->arena, d->root, e->level->level, e->level->minor);
    if (r.count) add_fault(e, r.reasons, doc_name(d));
    return true;
}

static const char *fault_text(struct arena *a, const struct fault *f) {
    if (f->count == 1) return arena_printf(a, "%s: %s", f->pod, f->reasons);
    if (f->count == 2) return arena_printf(a, "%s (and 1 other pod): %s", f->pod, f->reasons);
    return arena_printf(a, "%s (and %zu other pods): %s", f->pod, f->count - 1, f->reasons);
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static void warn_existing(struct change *c, const struct level_version *level) {
    struct arena *a = c->r->arena;
    struct existing e = {.arena = a, .level = level};
    registry_each(c->r->server, &resource_pods, c->name, check_existing, &e);
    e.rest = true;
    registry_each(c->r->server, &resource_pods, c->name, check_existing, &e);
    map_free(&e.controllers, NULL);
    if (e.checked < e.total) request_warn(c->r, "new PodSecurity enforce level only checked against the first %zu of %zu existing pods", e.checked, e.total);
    if (e.fault_count == 0) return;
    request_warn(c->r, "existing pods in namespace \"%s\" violate the new PodSecurity enforce level \"%s\"", c->name, text_of(a, level));
    const char **texts = arena_calloc(a, e.fault_count, sizeof(*texts));
    for (size_t i = 0; i < e.fault_count; i++) texts[i] = fault_text(a, &e.faults[i]);
    qsort(texts, e.fault_count, sizeof(*texts), by_text);
    for (size_t i = 0; i < e.fault_count; i++) request_warn(c->r, "%s", texts[i]);
}

static struct error *check_namespace(struct change *c) {
    struct arena *a = c->r->arena;
    struct field_errors errors = {.arena = a}, before = {.arena = a};
    struct policy now = policy_of(json_get(c->object, "metadata.labels"), &errors), old = {0};
    if (c->operation == OP_UPDATE) old = policy_of(json_get(c->old, "metadata.labels"), &before);
    if (errors.len && !str_eq(fields_text(&errors), fields_text(&before))) return field_errors_status(&errors, "", "Namespace", c->name);
    const struct level_version *to = &now.of[ENFORCE], *from = &old.of[ENFORCE];
    if (c->operation != OP_UPDATE || same(to, from) || to->level == LEVEL_PRIVILEGED) return NULL;
    if (to->minor == from->minor && to->level <= from->level) return NULL;
    warn_existing(c, to);
    return NULL;
}

/* ---- pods, and what makes pods ---- */

static const struct { const struct resource *resource; const char *path; } templates[] = {
    {&resource_apps_deployments, "spec.template"}, {&resource_apps_replicasets, "spec.template"}, {&resource_apps_statefulsets, "spec.template"},
    {&resource_apps_daemonsets, "spec.template"}, {&resource_batch_jobs, "spec.template"}, {&resource_batch_cronjobs, "spec.jobTemplate.spec.template"},
    {&resource_replicationcontrollers, "spec.template"}, {&resource_podtemplates, "template"},
};

static const struct json *pod_of(const struct change *c, bool *is_pod) {
    static const char *const ignored[] = {"exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status", NULL};
    *is_pod = c->resource == &resource_pods;
    if (*is_pod) return str_in(c->sub, ignored) ? NULL : c->object;
    for (size_t i = 0; i < ARRAY_LEN(templates) && !*c->sub; i++) {
        if (templates[i].resource == c->resource) return json_get(c->object, templates[i].path);
    }
    return NULL;
}

static const struct json *named(const struct json *list, const char *name) {
    JSON_EACH(x, list)
        if (json_str_is(x, "name", name)) return x;
    return NULL;
}

static bool image_changed(const struct json *now, const struct json *was) { return !str_eq(json_str_or(now, "image", ""), json_str_or(was, "image", "")); }

/* isSignificantPodUpdate: other images, more containers. */
static bool significant(const struct json *pod, const struct json *old) {
    static const char *const lists[] = {"containers", "initContainers"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const struct json *now = json_member(json_member(pod, "spec"), lists[i]), *was = json_member(json_member(old, "spec"), lists[i]);
        if (json_len(now) != json_len(was)) return true;
        for (size_t k = 0; k < json_len(now); k++)
            if (image_changed(json_at(now, k), json_at(was, k))) return true;
    }
    JSON_EACH(x, json_get(pod, "spec.ephemeralContainers")) {
        const struct json *was = named(json_get(old, "spec.ephemeralContainers"), json_str_or(x, "name", ""));
        if (was == NULL || image_changed(x, was)) return true;
    }
    return false;
}

struct judged {
    const char *text; /* "restricted:latest" */
    struct pod_security_result result;
};

static struct judged judge(const struct change *c, const struct json *pod, const struct level_version *v) {
    struct arena *a = c->r->arena;
    return (struct judged){text_of(a, v), pod_security_evaluate(a, pod, v->level, v->minor)};
}

static struct error *check_pod(struct change *c, const struct json *pod, bool enforced, const struct policy *p) {
    if (enforced) {
        struct judged x = judge(c, pod, &p->of[ENFORCE]);
        audit_note(c->r, LABEL "enforce-policy", x.text);
        if (x.result.count) return admission_forbidden(c, "violates PodSecurity \"%s\": %s", x.text, x.result.details);
    }
    struct judged x = judge(c, pod, &p->of[WARN]);
    if (x.result.count) request_warn(c->r, "would violate PodSecurity \"%s\": %s", x.text, x.result.details);
    return NULL;
}

static void note_violations(struct change *c, const struct json *pod, const struct policy *p) {
    struct judged x = judge(c, pod, &p->of[AUDIT]);
    if (x.result.count)
        audit_note(c->r, LABEL "audit-violations", arena_printf(c->r->arena, "would violate PodSecurity \"%s\": %s", x.text, x.result.details));
}

struct error *pod_security(struct change *c) {
    bool is_pod;
    if (c->object == NULL || (c->operation != OP_CREATE && c->operation != OP_UPDATE)) return NULL;
    if (change_is(c, &resource_namespaces, "")) return check_namespace(c);
    const struct json *pod = pod_of(c, &is_pod);
    if (pod == NULL) return NULL;
    cleanup_doc struct doc *ns = registry_get(c->r->server, &resource_namespaces, "", c->ns);
    struct field_errors errors = {.arena = c->r->arena};
    struct policy p = policy_of(ns ? json_get(ns->root, "metadata.labels") : NULL, &errors);
    if (is_pod && c->operation == OP_UPDATE && !significant(pod, c->old)) return NULL;
    if (errors.len) audit_note(c->r, LABEL "error", arena_printf(c->r->arena, "Failed to parse policy: %s", fields_text(&errors)));
    note_violations(c, pod, &p);
    return check_pod(c, pod, is_pod, &p);
}

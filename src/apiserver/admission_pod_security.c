/* PodSecurity: the Pod Security Standards baseline and restricted, by labels of the namespace (pod-security-admission). */
#include "apiserver/admission.h"

#define LABEL "pod-security.kubernetes.io/"

enum level { PRIVILEGED, BASELINE, RESTRICTED };

struct check {
    struct arena *arena;
    const struct json *pod;     /* with spec and metadata */
    const char *out, *names;    /* "reason (detail), …"; reasons alone */
    size_t count;
};

/* ---- what several checks say of containers ---- */

struct list {
    const char *text;
    size_t n;
};

static void add_name(struct check *c, struct list *l, const char *name) {
    l->text = l->n++ ? arena_printf(c->arena, "%s, \"%s\"", l->text, name) : arena_printf(c->arena, "\"%s\"", name);
}

static void violation(struct check *c, const char *reason, const char *detail) {
    c->out = arena_printf(c->arena, c->count ? "%s, %s (%s)" : "%s%s (%s)", c->count ? c->out : "", reason, detail);
    c->names = arena_printf(c->arena, c->count ? "%s, %s" : "%s%s", c->count ? c->names : "", reason);
    c->count++;
}

static const char *const container_lists[] = {"initContainers", "containers", "ephemeralContainers"};
#define EACH_CONTAINER(x, check) \
    for (size_t list_##x = 0; list_##x < ARRAY_LEN(container_lists); list_##x++) JSON_EACH(x, json_member(json_member((check)->pod, "spec"), container_lists[list_##x]))

static const struct json *security(const struct json *o) { return json_member(o, "securityContext"); }
static const struct json *pod_security_context(const struct check *c) { return security(json_member(c->pod, "spec")); }
static const char *plural(const struct list *l, const char *word, struct arena *a) { return arena_printf(a, "%s%s %s", word, l->n > 1 ? "s" : "", l->text); }

/* ---- baseline ---- */

static void app_armor(struct check *c) {
    struct list bad = {0};
    EACH_CONTAINER(x, c) {
        if (json_str_is(security(x), "appArmorProfile.type", "Unconfined")) add_name(c, &bad, json_str_or(x, "name", ""));
    }
    bool pod = json_str_is(pod_security_context(c), "appArmorProfile.type", "Unconfined");
    if (!pod && bad.n == 0) return;
    const char *who = pod ? "pod" : plural(&bad, "container", c->arena);
    violation(c, "forbidden AppArmor profile", arena_printf(c->arena, "%s must not set AppArmor profile type to \"Unconfined\"", who));
}

static void capabilities_baseline(struct check *c) {
    static const char *const fine[] = {"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT", NULL};
    struct list bad = {0}, caps = {0};
    EACH_CONTAINER(x, c) {
        bool any = false;
        JSON_EACH(k, json_get(security(x), "capabilities.add")) {
            const char *name = json_str_or(k, NULL, "");
            if (str_in(name, fine)) continue;
            any = true;
            if (!caps.text || !strstr(caps.text, arena_printf(c->arena, "\"%s\"", name))) add_name(c, &caps, name);
        }
        if (any) add_name(c, &bad, json_str_or(x, "name", ""));
    }
    if (bad.n) violation(c, "non-default capabilities", arena_printf(c->arena, "%s must not include %s in securityContext.capabilities.add", plural(&bad, "container", c->arena), caps.text));
}

static void host_namespaces(struct check *c) {
    static const char *const fields[] = {"hostNetwork", "hostPID", "hostIPC"};
    const char *out = "";
    for (size_t i = 0; i < 3; i++) {
        if (json_bool(json_member(json_member(c->pod, "spec"), fields[i]), NULL, false)) out = arena_printf(c->arena, *out ? "%s, %s=true" : "%s%s=true", out, fields[i]);
    }
    if (*out) violation(c, "host namespaces", out);
}

static void host_paths(struct check *c) {
    struct list bad = {0};
    JSON_EACH(v, json_get(c->pod, "spec.volumes")) {
        if (json_member(v, "hostPath")) add_name(c, &bad, json_str_or(v, "name", ""));
    }
    if (bad.n) violation(c, "hostPath volumes", plural(&bad, "volume", c->arena));
}

static void host_ports(struct check *c) {
    struct list bad = {0};
    const char *ports = "";
    size_t n = 0;
    EACH_CONTAINER(x, c) {
        bool any = false;
        JSON_EACH(p, json_member(x, "ports")) {
            int64_t port = json_int(p, "hostPort", 0);
            if (port == 0) continue;
            any = true;
            ports = arena_printf(c->arena, n++ ? "%s, %ld" : "%s%ld", ports, (long)port);
        }
        if (any) add_name(c, &bad, json_str_or(x, "name", ""));
    }
    if (bad.n) violation(c, "hostPort", arena_printf(c->arena, "%s %s hostPort%s %s", plural(&bad, "container", c->arena), bad.n > 1 ? "use" : "uses", n > 1 ? "s" : "", ports));
}

static void privileged(struct check *c) {
    struct list bad = {0};
    EACH_CONTAINER(x, c) if (json_bool(security(x), "privileged", false)) add_name(c, &bad, json_str_or(x, "name", ""));
    if (bad.n) violation(c, "privileged", arena_printf(c->arena, "%s must not set securityContext.privileged=true", plural(&bad, "container", c->arena)));
}

static void proc_mount(struct check *c) {
    struct list bad = {0};
    EACH_CONTAINER(x, c) if (json_str_is(security(x), "procMount", "Unmasked")) add_name(c, &bad, json_str_or(x, "name", ""));
    if (bad.n) violation(c, "procMount", arena_printf(c->arena, "%s must not set securityContext.procMount to \"Unmasked\"", plural(&bad, "container", c->arena)));
}

/* What is wrong with one seLinuxOptions; collected over pod and containers. */
struct selinux {
    struct list types;
    bool user, role;
};

static bool selinux_bad(struct check *c, const struct json *o, struct selinux *s) {
    static const char *const fine[] = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t", NULL};
    const char *type = json_str_or(o, "type", "");
    bool bad = false;
    if (!str_in(type, fine)) add_name(c, &s->types, type), bad = true;
    if (*json_str_or(o, "user", "")) s->user = bad = true;
    if (*json_str_or(o, "role", "")) s->role = bad = true;
    return bad;
}

static void selinux_options(struct check *c) {
    struct selinux s = {0};
    struct list bad = {0};
    bool pod = selinux_bad(c, json_member(pod_security_context(c), "seLinuxOptions"), &s);
    EACH_CONTAINER(x, c) if (selinux_bad(c, json_member(security(x), "seLinuxOptions"), &s)) add_name(c, &bad, json_str_or(x, "name", ""));
    if (!pod && !bad.n) return;
    const char *who = pod && bad.n ? arena_printf(c->arena, "pod and %s", plural(&bad, "container", c->arena)) : pod ? "pod" : plural(&bad, "container", c->arena);
    const char *what = s.types.n ? arena_printf(c->arena, "type%s %s", s.types.n > 1 ? "s" : "", s.types.text) : "";
    if (s.user) what = arena_printf(c->arena, *what ? "%s; user may not be set" : "%suser may not be set", what);
    if (s.role) what = arena_printf(c->arena, *what ? "%s; role may not be set" : "%srole may not be set", what);
    violation(c, "seLinuxOptions", arena_printf(c->arena, "%s set forbidden securityContext.seLinuxOptions: %s", who, what));
}

static void seccomp_baseline(struct check *c) {
    struct list bad = {0};
    bool pod = json_str_is(pod_security_context(c), "seccompProfile.type", "Unconfined");
    EACH_CONTAINER(x, c) if (json_str_is(security(x), "seccompProfile.type", "Unconfined")) add_name(c, &bad, json_str_or(x, "name", ""));
    if (!pod && !bad.n) return;
    const char *who = pod && bad.n ? arena_printf(c->arena, "pod and %s", plural(&bad, "container", c->arena)) : pod ? "pod" : plural(&bad, "container", c->arena);
    violation(c, "seccompProfile", arena_printf(c->arena, "%s must not set securityContext.seccompProfile.type to \"Unconfined\"", who));
}

static void sysctls(struct check *c) {
    static const char *const fine[] = {"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start",
                                       "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes",
                                       "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", NULL};
    const char *out = "";
    JSON_EACH(s, json_member(pod_security_context(c), "sysctls")) {
        const char *name = json_str_or(s, "name", "");
        if (!str_in(name, fine)) out = arena_printf(c->arena, *out ? "%s, %s" : "%s%s", out, name);
    }
    if (*out) violation(c, "forbidden sysctls", out);
}

static void host_process(struct check *c) {
    struct list bad = {0};
    bool pod = json_bool(pod_security_context(c), "windowsOptions.hostProcess", false);
    EACH_CONTAINER(x, c) if (json_bool(security(x), "windowsOptions.hostProcess", false)) add_name(c, &bad, json_str_or(x, "name", ""));
    if (!pod && !bad.n) return;
    const char *who = pod && bad.n ? arena_printf(c->arena, "pod and %s", plural(&bad, "container", c->arena)) : pod ? "pod" : plural(&bad, "container", c->arena);
    violation(c, "hostProcess", arena_printf(c->arena, "%s must not set securityContext.windowsOptions.hostProcess=true", who));
}

static bool probe_host(const struct json *probe) { return *json_str_or(probe, "httpGet.host", "") || *json_str_or(probe, "tcpSocket.host", ""); }

static void probe_hosts(struct check *c) {
    static const char *const probes[] = {"livenessProbe", "readinessProbe", "startupProbe"};
    struct list bad = {0};
    EACH_CONTAINER(x, c) {
        bool any = probe_host(json_get(x, "lifecycle.postStart")) || probe_host(json_get(x, "lifecycle.preStop"));
        for (size_t i = 0; i < ARRAY_LEN(probes); i++) any |= probe_host(json_member(x, probes[i]));
        if (any) add_name(c, &bad, json_str_or(x, "name", ""));
    }
    if (bad.n) violation(c, "probe or lifecycle host", arena_printf(c->arena, "%s must not set probe or lifecycle host", plural(&bad, "container", c->arena)));
}

/* ---- restricted ---- */

static void privilege_escalation(struct check *c) {
    struct list bad = {0};
    if (json_str_is(c->pod, "spec.os.name", "windows")) return;
    EACH_CONTAINER(x, c) if (json_bool(security(x), "allowPrivilegeEscalation", true)) add_name(c, &bad, json_str_or(x, "name", ""));
    if (bad.n) violation(c, "allowPrivilegeEscalation != false", arena_printf(c->arena, "%s must set securityContext.allowPrivilegeEscalation=false", plural(&bad, "container", c->arena)));
}

static void capabilities_restricted(struct check *c) {
    struct list missing = {0}, adding = {0}, caps = {0};
    if (json_str_is(c->pod, "spec.os.name", "windows")) return;
    EACH_CONTAINER(x, c) {
        const char *name = json_str_or(x, "name", "");
        bool any = false;
        if (!list_has(json_get(security(x), "capabilities.drop"), "ALL")) add_name(c, &missing, name);
        JSON_EACH(k, json_get(security(x), "capabilities.add")) {
            if (json_str_is(k, NULL, "NET_BIND_SERVICE")) continue;
            any = true;
            add_name(c, &caps, json_str_or(k, NULL, ""));
        }
        if (any) add_name(c, &adding, name);
    }
    const char *out = missing.n ? arena_printf(c->arena, "%s must set securityContext.capabilities.drop=[\"ALL\"]", plural(&missing, "container", c->arena)) : "";
    if (adding.n) out = arena_printf(c->arena, "%s%s%s must not include %s in securityContext.capabilities.add", out, *out ? "; " : "", plural(&adding, "container", c->arena), caps.text);
    if (*out) violation(c, "unrestricted capabilities", out);
}

static void restricted_volumes(struct check *c) {
    static const char *const fine[] = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret", "name", "image", NULL};
    struct list bad = {0}, types = {0};
    JSON_EACH(v, json_get(c->pod, "spec.volumes")) {
        JSON_EACH_MEMBER(m, v) {
            if (str_in(m->key, fine)) continue;
            add_name(c, &bad, json_str_or(v, "name", ""));
            if (!types.text || !strstr(types.text, arena_printf(c->arena, "\"%s\"", m->key))) add_name(c, &types, m->key);
            break;
        }
    }
    if (bad.n)
        violation(c, "restricted volume types", arena_printf(c->arena, "%s %s restricted volume type%s %s", plural(&bad, "volume", c->arena), bad.n > 1 ? "use" : "uses", types.n > 1 ? "s" : "", types.text));
}

static void run_as_non_root(struct check *c) {
    struct list bad = {0}, unset = {0};
    const struct json *pod = json_member(pod_security_context(c), "runAsNonRoot");
    bool pod_bad = pod && !json_bool(pod, NULL, false), pod_good = json_bool(pod, NULL, false);
    EACH_CONTAINER(x, c) {
        const struct json *v = json_member(security(x), "runAsNonRoot");
        if (v && !json_bool(v, NULL, false)) add_name(c, &bad, json_str_or(x, "name", ""));
        else if (v == NULL && !pod_good) add_name(c, &unset, json_str_or(x, "name", ""));
    }
    const char *out = "";
    if (pod_bad) out = "pod must not set securityContext.runAsNonRoot=false";
    if (bad.n) out = arena_printf(c->arena, "%s%s%s must not set securityContext.runAsNonRoot=false", out, *out ? "; " : "", plural(&bad, "container", c->arena));
    if (!*out && unset.n) out = arena_printf(c->arena, "pod or %s must set securityContext.runAsNonRoot=true", plural(&unset, "container", c->arena));
    if (*out) violation(c, "runAsNonRoot != true", out);
}

static void run_as_user(struct check *c) {
    struct list bad = {0};
    const struct json *pod = json_member(pod_security_context(c), "runAsUser");
    bool pod_bad = pod && json_int(pod, NULL, 1) == 0;
    EACH_CONTAINER(x, c) {
        const struct json *v = json_member(security(x), "runAsUser");
        if (v && json_int(v, NULL, 1) == 0) add_name(c, &bad, json_str_or(x, "name", ""));
    }
    if (!pod_bad && !bad.n) return;
    const char *who = pod_bad && bad.n ? arena_printf(c->arena, "pod and %s", plural(&bad, "container", c->arena)) : pod_bad ? "pod" : plural(&bad, "container", c->arena);
    violation(c, "runAsUser=0", arena_printf(c->arena, "%s must not set runAsUser=0", who));
}

static bool seccomp_fine(const struct json *context) { return json_str_is(context, "seccompProfile.type", "RuntimeDefault") || json_str_is(context, "seccompProfile.type", "Localhost"); }

static void seccomp_restricted(struct check *c) {
    struct list bad = {0}, unset = {0};
    const struct json *pod = pod_security_context(c);
    bool pod_good = seccomp_fine(pod), pod_bad = json_get(pod, "seccompProfile") && !pod_good;
    if (json_str_is(c->pod, "spec.os.name", "windows")) return;
    EACH_CONTAINER(x, c) {
        bool given = json_get(security(x), "seccompProfile.type") != NULL;
        if (given && !seccomp_fine(security(x))) add_name(c, &bad, json_str_or(x, "name", ""));
        else if (!given && !pod_good) add_name(c, &unset, json_str_or(x, "name", ""));
    }
    const char *out = pod_bad ? arena_printf(c->arena, "pod must not set securityContext.seccompProfile.type to \"%s\"", json_str_or(pod, "seccompProfile.type", "")) : "";
    if (bad.n) out = arena_printf(c->arena, "%s%s%s must not set securityContext.seccompProfile.type to \"Unconfined\"", out, *out ? "; " : "", plural(&bad, "container", c->arena));
    if (!*out && unset.n) out = arena_printf(c->arena, "pod or %s must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"", plural(&unset, "container", c->arena));
    if (*out) violation(c, "seccompProfile", out);
}

/* In the order in which violations are listed; `replaced`: restricted has a stricter one. */
static const struct { void (*run)(struct check *c); enum level level; bool replaced; } checks[] = {
    {app_armor, BASELINE, false}, {capabilities_baseline, BASELINE, true}, {host_namespaces, BASELINE, false}, {host_paths, BASELINE, true}, {host_ports, BASELINE, false},
    {probe_hosts, BASELINE, false}, {privileged, BASELINE, false}, {proc_mount, BASELINE, false}, {selinux_options, BASELINE, false}, {seccomp_baseline, BASELINE, true},
    {sysctls, BASELINE, false}, {host_process, BASELINE, false},
    {privilege_escalation, RESTRICTED, false}, {capabilities_restricted, RESTRICTED, false}, {restricted_volumes, RESTRICTED, false}, {run_as_non_root, RESTRICTED, false},
    {run_as_user, RESTRICTED, false}, {seccomp_restricted, RESTRICTED, false},
};

static struct check evaluate(struct arena *a, const struct json *pod, enum level level) {
    struct check c = {.arena = a, .pod = pod, .out = "", .names = ""};
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        if (checks[i].level <= level && !(level == RESTRICTED && checks[i].replaced)) checks[i].run(&c);
    }
    return c;
}

/* ---- policy of a namespace ---- */

static enum level level_of(const struct json *labels, const char *mode, const char **name) {
    char key[64];
    snprintf(key, sizeof(key), LABEL "%s", mode);
    *name = json_str_or(json_member(labels, key), NULL, "privileged");
    return strcmp(*name, "restricted") == 0 ? RESTRICTED : strcmp(*name, "baseline") == 0 ? BASELINE : PRIVILEGED;
}

static const char *version_of(const struct json *labels, const char *mode) {
    char key[64];
    snprintf(key, sizeof(key), LABEL "%s-version", mode);
    return json_str_or(json_member(labels, key), NULL, "latest");
}

static const struct { const struct resource *resource; const char *path; } templates[] = {
    {&resource_apps_deployments, "spec.template"}, {&resource_apps_replicasets, "spec.template"}, {&resource_apps_statefulsets, "spec.template"},
    {&resource_apps_daemonsets, "spec.template"}, {&resource_batch_jobs, "spec.template"}, {&resource_batch_cronjobs, "spec.jobTemplate.spec.template"},
    {&resource_replicationcontrollers, "spec.template"}, {&resource_podtemplates, "template"},
};

static const struct json *pod_of(const struct change *c, bool *is_pod) {
    *is_pod = c->resource == &resource_pods && (!*c->sub || strcmp(c->sub, "ephemeralcontainers") == 0);
    if (*is_pod) return c->object;
    for (size_t i = 0; i < ARRAY_LEN(templates) && !*c->sub; i++) {
        if (templates[i].resource == c->resource) return json_get(c->object, templates[i].path);
    }
    return NULL;
}

/* Pods that are there already are not refused, but told of when the level is raised. */
struct existing {
    struct arena *arena;
    enum level level;
    struct json_array warnings;
};

static bool check_existing(struct doc *d, void *arg) {
    struct existing *e = arg;
    struct check c = evaluate(e->arena, d->root, e->level);
    if (c.count) json_array_add(&e->warnings, json_strf(e->arena, "%s: %s", doc_name(d), c.names));
    return true;
}

static void check_relabel(struct change *c) {
    const struct json *labels = json_get(c->object, "metadata.labels"), *old = json_get(c->old, "metadata.labels");
    const char *name, *before;
    enum level now = level_of(labels, "enforce", &name), had = level_of(old, "enforce", &before);
    if (now == PRIVILEGED || (now <= had && str_eq(version_of(labels, "enforce"), version_of(old, "enforce")))) return;
    struct existing e = {.arena = c->r->arena, .level = now, .warnings = {.arena = c->r->arena}};
    registry_each(c->r->server, &resource_pods, c->name, check_existing, &e);
    if (e.warnings.len == 0) return;
    request_warn(c->r, "existing pods in namespace \"%s\" violate the new PodSecurity enforce level \"%s:%s\"", c->name, name, version_of(labels, "enforce"));
    for (size_t i = 0; i < e.warnings.len; i++) request_warn(c->r, "%s", e.warnings.items[i].s);
}

struct error *pod_security(struct change *c) {
    bool is_pod;
    const char *name;
    if (change_is(c, &resource_namespaces, "") && c->operation == OP_UPDATE) return check_relabel(c), NULL;
    const struct json *pod = c->object && (c->operation == OP_CREATE || c->operation == OP_UPDATE) ? pod_of(c, &is_pod) : NULL;
    if (pod == NULL || (is_pod && c->operation == OP_UPDATE && json_equal(json_member(pod, "spec"), json_member(c->old, "spec")))) return NULL;
    cleanup_doc struct doc *ns = registry_get(c->r->server, &resource_namespaces, "", c->ns);
    const struct json *labels = ns ? json_get(ns->root, "metadata.labels") : NULL;
    enum level enforce = level_of(labels, "enforce", &name);
    if (is_pod && enforce != PRIVILEGED) {
        struct check found = evaluate(c->r->arena, pod, enforce);
        if (found.count) return admission_forbidden(c, "violates PodSecurity \"%s:%s\": %s", name, version_of(labels, "enforce"), found.out);
    }
    enum level warn = level_of(labels, "warn", &name);
    if (warn == PRIVILEGED) return NULL;
    struct check found = evaluate(c->r->arena, pod, warn);
    if (found.count) request_warn(c->r, "would violate PodSecurity \"%s:%s\": %s", name, version_of(labels, "warn"), found.out);
    return NULL;
}

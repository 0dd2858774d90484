#include "apiserver/pod_security.h"
#include "base/str.h"
#include "schema/status.h"

struct check {
    struct arena *arena;
    const struct json *meta, *spec;
    int64_t minor;
    struct pod_security_result *out;
};

/* ---- words ---- */

struct words {
    struct arena *arena;
    const char **items;
    size_t n, cap;
};

static void add(struct words *w, const char *word) {
    if (w->n == w->cap) {
        size_t cap = MAX(8, w->cap * 2);
        w->items = arena_grow(w->arena, w->items, w->cap * sizeof(*w->items), cap * sizeof(*w->items));
        w->cap = cap;
    }
    w->items[w->n++] = word;
}

/* As a set: sorted, each once. */
static void add_once(struct words *w, const char *word) {
    size_t at = 0;
    while (at < w->n && strcmp(w->items[at], word) < 0) at++;
    if (at < w->n && strcmp(w->items[at], word) == 0) return;
    add(w, word);
    memmove(w->items + at + 1, w->items + at, (w->n - 1 - at) * sizeof(*w->items));
    w->items[at] = word;
}

static const char *join(const struct words *w, const char *quote, const char *separator) {
    cleanup_buf struct buf b = {0};
    for (size_t i = 0; i < w->n; i++) buf_printf(&b, "%s%s%s%s", i ? separator : "", quote, w->items[i], quote);
    return arena_strdup(w->arena, buf_str(&b));
}
static const char *quoted(const struct words *w) { return join(w, "\"", ", "); }
static const char *plural(const struct words *w, const char *word) { return arena_printf(w->arena, "%s%s", word, w->n == 1 ? "" : "s"); }
static const char *named(const struct words *w, const char *word) { return arena_printf(w->arena, "%s %s", plural(w, word), quoted(w)); }

/* Who did it: the pod, containers, or both. */
struct setters {
    bool pod;
    struct words containers;
};
static bool any(const struct setters *s) { return s->pod || s->containers.n > 0; }
static const char *who(const struct setters *s) {
    if (s->containers.n == 0) return "pod";
    const char *containers = named(&s->containers, "container");
    return s->pod ? arena_printf(s->containers.arena, "pod and %s", containers) : containers;
}

static void PRINTF(3, 4) violation(struct check *c, const char *reason, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    const char *detail = arena_vprintf(c->arena, fmt, args);
    va_end(args);
    struct pod_security_result *o = c->out;
    const char *comma = o->count++ ? ", " : "";
    o->reasons = arena_printf(c->arena, "%s%s%s", o->reasons, comma, reason);
    o->details = arena_printf(c->arena, "%s%s%s (%s)", o->details, comma, reason, detail);
}

/* ---- the pod ---- */

static const char *const container_lists[] = {"initContainers", "containers", "ephemeralContainers"};
#define EACH_CONTAINER(x, check) \
    for (size_t list_##x = 0; list_##x < ARRAY_LEN(container_lists); list_##x++) JSON_EACH(x, json_member((check)->spec, container_lists[list_##x]))

static const struct json *security(const struct json *o) { return json_member(o, "securityContext"); }
static const char *name_of(const struct json *o) { return json_str_or(o, "name", ""); }
static bool is_windows(const struct check *c) { return json_str_is(c->spec, "os.name", "windows"); }
static bool in_user_namespace(const struct check *c) { return !json_bool(c->spec, "hostUsers", true); }

/* ---- baseline ---- */

static bool profile_known(const char *type) { return str_eq(type, "RuntimeDefault") || str_eq(type, "Localhost"); }

static void bad_profiles(struct check *c, const char *field, struct setters *s, struct words *values) {
    const struct json *pod = json_member(security(c->spec), field);
    if (pod && !profile_known(json_str_or(pod, "type", ""))) s->pod = true, add_once(values, json_str_or(pod, "type", ""));
    EACH_CONTAINER(x, c) {
        const struct json *profile = json_member(security(x), field);
        if (profile == NULL || profile_known(json_str_or(profile, "type", ""))) continue;
        add(&s->containers, name_of(x));
        add_once(values, json_str_or(profile, "type", ""));
    }
}

static void app_armor(struct check *c) {
    struct setters s = {.containers.arena = c->arena};
    struct words values = {c->arena}, notes = {c->arena};
    bad_profiles(c, "appArmorProfile", &s, &values);
    JSON_EACH_MEMBER(m, json_member(c->meta, "annotations")) {
        const char *v = json_str_or(&m->value, NULL, "");
        if (!str_starts(m->key, "container.apparmor.security.beta.kubernetes.io/") || !*v || str_eq(v, "runtime/default") || str_starts(v, "localhost/")) continue;
        add_once(&notes, arena_printf(c->arena, "%s=%s", m->key, status_quote(c->arena, v)));
    }
    if (!any(&s) && notes.n == 0) return;
    for (size_t i = 0; i < notes.n; i++) add(&values, notes.items[i]);
    const char *culprits = notes.n == 0 ? who(&s) : arena_printf(c->arena, "%s%s%s", any(&s) ? who(&s) : "", any(&s) ? " and " : "", plural(&notes, "annotation"));
    violation(c, plural(&values, "forbidden AppArmor profile"), "%s must not set AppArmor profile type to %s", culprits, quoted(&values));
}

/* Capabilities that a container adds beyond the allowed ones. */
static bool adds_more(const struct json *container, const char *const *allowed, struct words *caps) {
    bool more = false;
    JSON_EACH(k, json_get(security(container), "capabilities.add")) {
        const char *name = json_str_or(k, NULL, "");
        if (str_in(name, allowed)) continue;
        more = true;
        add_once(caps, name);
    }
    return more;
}

static void capabilities_baseline(struct check *c) {
    static const char *const allowed[] = {"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID",
                                          "SETPCAP", "SETUID", "SYS_CHROOT", NULL};
    struct words bad = {c->arena}, caps = {c->arena};
    EACH_CONTAINER(x, c) if (adds_more(x, allowed, &caps)) add(&bad, name_of(x));
    if (bad.n) violation(c, "non-default capabilities", "%s must not include %s in securityContext.capabilities.add", named(&bad, "container"), quoted(&caps));
}

static void host_namespaces(struct check *c) {
    static const char *const fields[] = {"hostNetwork", "hostPID", "hostIPC"};
    struct words set = {c->arena};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (json_bool(c->spec, fields[i], false)) add(&set, arena_printf(c->arena, "%s=true", fields[i]));
    if (set.n) violation(c, "host namespaces", "%s", join(&set, "", ", "));
}

static void host_paths(struct check *c) {
    struct words bad = {c->arena};
    JSON_EACH(v, json_member(c->spec, "volumes"))
        if (json_member(v, "hostPath")) add(&bad, name_of(v));
    if (bad.n) violation(c, "hostPath volumes", "%s", named(&bad, "volume"));
}

static void host_ports(struct check *c) {
    struct words bad = {c->arena}, ports = {c->arena};
    EACH_CONTAINER(x, c) {
        bool uses = false;
        JSON_EACH(p, json_member(x, "ports")) {
            int64_t port = json_int(p, "hostPort", 0);
            if (port == 0) continue;
            uses = true;
            add_once(&ports, arena_printf(c->arena, "%lld", (long long)port));
        }
        if (uses) add(&bad, name_of(x));
    }
    if (bad.n) violation(c, "hostPort", "%s %s %s %s", named(&bad, "container"), bad.n == 1 ? "uses" : "use", plural(&ports, "hostPort"), join(&ports, "", ", "));
}

static bool names_host(const struct json *handler, struct words *hosts) {
    static const char *const fields[] = {"httpGet.host", "tcpSocket.host"};
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const char *host = json_str_or(handler, fields[i], "");
        if (*host) add_once(hosts, host), found = true;
    }
    return found;
}

static void probe_hosts(struct check *c) {
    static const char *const handlers[] = {"livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop"};
    struct words bad = {c->arena}, hosts = {c->arena};
    EACH_CONTAINER(x, c) {
        bool uses = false;
        for (size_t i = 0; i < ARRAY_LEN(handlers); i++) uses |= names_host(json_get(x, handlers[i]), &hosts);
        if (uses) add_once(&bad, name_of(x));
    }
    if (bad.n) violation(c, "probe or lifecycle host", "%s %s %s", named(&bad, "container"), bad.n == 1 ? "uses" : "use", named(&hosts, "probe or lifecycle host"));
}

static void privileged(struct check *c) {
    struct words bad = {c->arena};
    EACH_CONTAINER(x, c) if (json_bool(security(x), "privileged", false)) add(&bad, name_of(x));
    if (bad.n) violation(c, "privileged", "%s must not set securityContext.privileged=true", named(&bad, "container"));
}

static void proc_mount(struct check *c) {
    struct words bad = {c->arena}, types = {c->arena};
    EACH_CONTAINER(x, c) {
        const char *type = json_str_or(security(x), "procMount", "Default");
        if (str_eq(type, "Default")) continue;
        add(&bad, name_of(x));
        add_once(&types, type);
    }
    if (bad.n) violation(c, "procMount", "%s must not set securityContext.procMount to %s", named(&bad, "container"), quoted(&types));
}

static void proc_mount_outside(struct check *c) {
    if (!in_user_namespace(c)) proc_mount(c);
}

/* What is wrong with seLinuxOptions, of the pod and its containers together. */
struct selinux {
    struct words types;
    bool user, role;
};

static bool selinux_bad(const struct check *c, const struct json *o, struct selinux *s) {
    static const char *const fine[] = {"", "container_t", "container_init_t", "container_kvm_t", NULL};
    const char *type = json_str_or(o, "type", "");
    bool bad = !str_in(type, fine) && !(c->minor >= 31 && str_eq(type, "container_engine_t"));
    if (bad) add_once(&s->types, type);
    if (*json_str_or(o, "user", "")) s->user = bad = true;
    if (*json_str_or(o, "role", "")) s->role = bad = true;
    return bad;
}

static void selinux_options(struct check *c) {
    struct selinux x = {.types.arena = c->arena};
    struct words what = {c->arena};
    struct setters s = {.pod = selinux_bad(c, json_member(security(c->spec), "seLinuxOptions"), &x), .containers.arena = c->arena};
    EACH_CONTAINER(k, c) if (selinux_bad(c, json_member(security(k), "seLinuxOptions"), &x)) add(&s.containers, name_of(k));
    if (!any(&s)) return;
    if (x.types.n) add(&what, named(&x.types, "type"));
    if (x.user) add(&what, "user may not be set");
    if (x.role) add(&what, "role may not be set");
    violation(c, "seLinuxOptions", "%s set forbidden securityContext.seLinuxOptions: %s", who(&s), join(&what, "", "; "));
}

static void seccomp_note(struct check *c, const char *key, struct words *bad) {
    const struct json *v = json_member(json_member(c->meta, "annotations"), key);
    const char *text = json_str_or(v, NULL, "");
    if (v == NULL || str_eq(text, "runtime/default") || str_eq(text, "docker/default") || str_starts(text, "localhost/")) return;
    add_once(bad, arena_printf(c->arena, "%s=%s", key, status_quote(c->arena, text)));
}

/* Before 1.19 there were only annotations. */
static void seccomp_notes(struct check *c) {
    struct words bad = {c->arena};
    seccomp_note(c, "seccomp.security.alpha.kubernetes.io/pod", &bad);
    EACH_CONTAINER(x, c) seccomp_note(c, arena_printf(c->arena, "container.seccomp.security.alpha.kubernetes.io/%s", name_of(x)), &bad);
    if (bad.n) violation(c, "seccompProfile", "forbidden %s %s", plural(&bad, "annotation"), join(&bad, "", ", "));
}

/* True if somebody asks for a profile that is not allowed. */
static bool seccomp_bad(struct check *c) {
    struct setters s = {.containers.arena = c->arena};
    struct words values = {c->arena};
    bad_profiles(c, "seccompProfile", &s, &values);
    if (any(&s)) violation(c, "seccompProfile", "%s must not set securityContext.seccompProfile.type to %s", who(&s), quoted(&values));
    return any(&s);
}

static void seccomp_baseline(struct check *c) { seccomp_bad(c); }

static void sysctls(struct check *c) {
    static const struct { const char *name; int since; } allowed[] = {
        {"kernel.shm_rmid_forced", 0}, {"net.ipv4.ip_local_port_range", 0}, {"net.ipv4.tcp_syncookies", 0}, {"net.ipv4.ping_group_range", 0},
        {"net.ipv4.ip_unprivileged_port_start", 0}, {"net.ipv4.ip_local_reserved_ports", 27}, {"net.ipv4.tcp_keepalive_time", 29}, {"net.ipv4.tcp_fin_timeout", 29},
        {"net.ipv4.tcp_keepalive_intvl", 29}, {"net.ipv4.tcp_keepalive_probes", 29}, {"net.ipv4.tcp_rmem", 32}, {"net.ipv4.tcp_wmem", 32}};
    struct words bad = {c->arena};
    JSON_EACH(s, json_member(security(c->spec), "sysctls")) {
        bool fine = false;
        for (size_t i = 0; i < ARRAY_LEN(allowed); i++) fine |= str_eq(allowed[i].name, name_of(s)) && allowed[i].since <= c->minor;
        if (!fine) add(&bad, name_of(s));
    }
    if (bad.n) violation(c, "forbidden sysctls", "%s", join(&bad, "", ", "));
}

static void host_process(struct check *c) {
    struct setters s = {.pod = json_bool(security(c->spec), "windowsOptions.hostProcess", false), .containers.arena = c->arena};
    EACH_CONTAINER(x, c) if (json_bool(security(x), "windowsOptions.hostProcess", false)) add(&s.containers, name_of(x));
    if (any(&s)) violation(c, "hostProcess", "%s must not set securityContext.windowsOptions.hostProcess=true", who(&s));
}

/* ---- restricted ---- */

static void privilege_escalation(struct check *c) {
    struct words bad = {c->arena};
    EACH_CONTAINER(x, c) if (json_bool(security(x), "allowPrivilegeEscalation", true)) add(&bad, name_of(x));
    if (bad.n) violation(c, "allowPrivilegeEscalation != false", "%s must set securityContext.allowPrivilegeEscalation=false", named(&bad, "container"));
}

static bool drops_all(const struct json *container) {
    JSON_EACH(k, json_get(security(container), "capabilities.drop"))
        if (json_str_is(k, NULL, "ALL")) return true;
    return false;
}

static void capabilities_restricted(struct check *c) {
    static const char *const allowed[] = {"NET_BIND_SERVICE", NULL};
    struct words keeping = {c->arena}, adding = {c->arena}, caps = {c->arena}, what = {c->arena};
    EACH_CONTAINER(x, c) {
        if (!drops_all(x)) add(&keeping, name_of(x));
        if (adds_more(x, allowed, &caps)) add(&adding, name_of(x));
    }
    if (keeping.n) add(&what, arena_printf(c->arena, "%s must set securityContext.capabilities.drop=[\"ALL\"]", named(&keeping, "container")));
    if (adding.n) add(&what, arena_printf(c->arena, "%s must not include %s in securityContext.capabilities.add", named(&adding, "container"), quoted(&caps)));
    if (what.n) violation(c, "unrestricted capabilities", "%s", join(&what, "", "; "));
}

static void restricted_volumes(struct check *c) {
    static const char *const allowed[] = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret", NULL};
    struct words bad = {c->arena}, types = {c->arena};
    JSON_EACH(v, json_member(c->spec, "volumes")) {
        const char *type = "unknown";
        JSON_EACH_MEMBER(m, v) if (!str_eq(m->key, "name")) type = m->key;
        if (str_in(type, allowed)) continue;
        add(&bad, name_of(v));
        add_once(&types, type);
    }
    if (bad.n) violation(c, "restricted volume types", "%s %s %s", named(&bad, "volume"), bad.n == 1 ? "uses" : "use", named(&types, "restricted volume type"));
}

static void run_as_non_root(struct check *c) {
    const struct json *pod = json_member(security(c->spec), "runAsNonRoot");
    struct setters s = {.pod = pod && !json_bool(pod, NULL, false), .containers.arena = c->arena};
    struct words unset = {c->arena};
    EACH_CONTAINER(x, c) {
        const struct json *v = json_member(security(x), "runAsNonRoot");
        if (v && !json_bool(v, NULL, false)) add(&s.containers, name_of(x));
        else if (v == NULL && !json_bool(pod, NULL, false)) add(&unset, name_of(x));
    }
    if (any(&s)) violation(c, "runAsNonRoot != true", "%s must not set securityContext.runAsNonRoot=false", who(&s));
    else if (unset.n) violation(c, "runAsNonRoot != true", "pod or %s must set securityContext.runAsNonRoot=true", named(&unset, "container"));
}

static void run_as_user(struct check *c) {
    struct setters s = {.pod = json_int(security(c->spec), "runAsUser", 1) == 0, .containers.arena = c->arena};
    EACH_CONTAINER(x, c) if (json_int(security(x), "runAsUser", 1) == 0) add(&s.containers, name_of(x));
    if (any(&s)) violation(c, "runAsUser=0", "%s must not set runAsUser=0", who(&s));
}

static void seccomp_restricted(struct check *c) {
    struct words unset = {c->arena};
    if (seccomp_bad(c) || json_member(security(c->spec), "seccompProfile")) return;
    EACH_CONTAINER(x, c) if (!json_member(security(x), "seccompProfile")) add(&unset, name_of(x));
    if (unset.n) violation(c, "seccompProfile", "pod or %s must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"", named(&unset, "container"));
}

/* Since 1.25 what Windows does not have is not asked for; since 1.35 root of a user namespace is nobody. */
static void not_windows(struct check *c, void (*check)(struct check *c)) {
    if (!is_windows(c)) check(c);
}
static void privilege_escalation_25(struct check *c) { not_windows(c, privilege_escalation); }
static void capabilities_restricted_25(struct check *c) { not_windows(c, capabilities_restricted); }
static void seccomp_restricted_25(struct check *c) { not_windows(c, seccomp_restricted); }
static void run_as_non_root_35(struct check *c) {
    if (!in_user_namespace(c)) run_as_non_root(c);
}
static void run_as_user_35(struct check *c) {
    if (!in_user_namespace(c)) run_as_user(c);
}

/* ---- the table ---- */

#define FROM_THE_START 0
#define ALWAYS INT64_MAX

/* In the order in which violations are listed (upstream sorts by the checks' names). A check holds from minor version `from` to below
 * `to`; since `overridden` the restricted level has one that is stricter. */
static const struct { void (*run)(struct check *c); enum pod_security_level level; int64_t from, to, overridden; } checks[] = {
    {app_armor, LEVEL_BASELINE, 0, ALWAYS, ALWAYS},
    {capabilities_baseline, LEVEL_BASELINE, 0, ALWAYS, 22},
    {host_namespaces, LEVEL_BASELINE, 0, ALWAYS, ALWAYS},
    {host_paths, LEVEL_BASELINE, 0, ALWAYS, FROM_THE_START},
    {host_ports, LEVEL_BASELINE, 0, ALWAYS, ALWAYS},
    {probe_hosts, LEVEL_BASELINE, 34, ALWAYS, ALWAYS},
    {privileged, LEVEL_BASELINE, 0, ALWAYS, ALWAYS},
    {proc_mount, LEVEL_BASELINE, 0, 35, ALWAYS},
    {proc_mount_outside, LEVEL_BASELINE, 35, ALWAYS, 35},
    {selinux_options, LEVEL_BASELINE, 0, ALWAYS, ALWAYS},
    {seccomp_notes, LEVEL_BASELINE, 0, 19, ALWAYS},
    {seccomp_baseline, LEVEL_BASELINE, 19, ALWAYS, 19},
    {sysctls, LEVEL_BASELINE, 0, ALWAYS, ALWAYS},
    {host_process, LEVEL_BASELINE, 0, ALWAYS, ALWAYS},
    {privilege_escalation, LEVEL_RESTRICTED, 8, 25, ALWAYS},
    {privilege_escalation_25, LEVEL_RESTRICTED, 25, ALWAYS, ALWAYS},
    {capabilities_restricted, LEVEL_RESTRICTED, 22, 25, ALWAYS},
    {capabilities_restricted_25, LEVEL_RESTRICTED, 25, ALWAYS, ALWAYS},
    {proc_mount, LEVEL_RESTRICTED, 35, ALWAYS, ALWAYS},
    {restricted_volumes, LEVEL_RESTRICTED, 0, ALWAYS, ALWAYS},
    {run_as_non_root, LEVEL_RESTRICTED, 0, 35, ALWAYS},
    {run_as_non_root_35, LEVEL_RESTRICTED, 35, ALWAYS, ALWAYS},
    {run_as_user, LEVEL_RESTRICTED, 23, 35, ALWAYS},
    {run_as_user_35, LEVEL_RESTRICTED, 35, ALWAYS, ALWAYS},
    {seccomp_restricted, LEVEL_RESTRICTED, 19, 25, ALWAYS},
    {seccomp_restricted_25, LEVEL_RESTRICTED, 25, ALWAYS, ALWAYS},
};
#define NEWEST 35 /* what comes later is judged as the newest known */

struct pod_security_result pod_security_evaluate(struct arena *a, const struct json *pod, enum pod_security_level level, int64_t minor) {
    struct pod_security_result out = {.reasons = "", .details = ""};
    struct check c = {.arena = a, .meta = json_member(pod, "metadata"), .spec = json_member(pod, "spec"), .minor = MIN(minor, NEWEST), .out = &out};
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        bool stricter = level == LEVEL_RESTRICTED && c.minor >= checks[i].overridden;
        if (checks[i].level <= level && checks[i].from <= c.minor && c.minor < checks[i].to && !stricter) checks[i].run(&c);
    }
    return out;
}

/* What clients are warned of in pods and templates of pods (pkg/api/pod/warnings.go), and in a few other kinds. */
#include "apiserver/validation/rules.h"

#define WARN struct json_array *w, const struct field_path *p, const struct json *o

static void PRINTF(3, 4) warn(struct json_array *w, const struct field_path *p, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    const char *text = arena_vprintf(w->arena, fmt, args);
    va_end(args);
    json_array_add(w, json_strf(w->arena, "%s: %s", field_path_text(w->arena, p), text));
}

/* ---- labels of nodes ---- */

static const char *deprecated_label(const char *key) {
    static const struct { const char *key, *message; } labels[] = {
        {"beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"},
        {"beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"},
        {"failure-domain.beta.kubernetes.io/region", "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead"},
        {"failure-domain.beta.kubernetes.io/zone", "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"},
        {"beta.kubernetes.io/instance-type", "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"},
        {"app.kubernetes.io/created-by", "deprecated since v1.9"},
        {"scheduler.alpha.kubernetes.io/preferAvoidPods", "deprecated since v1.22; use Taints and Tolerations instead"},
        {"node-role.kubernetes.io/master", "use \"node-role.kubernetes.io/control-plane\" instead"}};
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) if (strcmp(labels[i].key, key) == 0) return labels[i].message;
    return NULL;
}

static void selector_term(WARN, bool values) {
    size_t i = 0;
    JSON_EACH(x, json_member(o, "matchExpressions")) {
        const struct field_path *at = FIELD_INDEX(FIELD(p, "matchExpressions"), i++);
        const char *message = deprecated_label(str_of(x, "key"));
        size_t k = 0;
        if (message) warn(w, FIELD(at, "key"), "%s is %s", str_of(x, "key"), message);
        JSON_EACH(v, values ? json_member(x, "values") : NULL) {
            struct name_errors errors = name_label_value(text_of(v));
            for (size_t n = 0; n < errors.len; n++) warn(w, FIELD_INDEX(FIELD(at, "values"), k), "%s is invalid, %s", text_of(v), errors.items[n]);
            k++;
        }
    }
}

static void node_placement(WARN) {
    const struct field_path *affinity = FIELD(FIELD(p, "affinity"), "nodeAffinity");
    const struct json *a = json_get(o, "affinity.nodeAffinity");
    size_t i = 0;
    JSON_EACH_MEMBER(m, json_member(o, "nodeSelector")) {
        const char *message = deprecated_label(m->key);
        if (message) warn(w, FIELD_KEY(FIELD(p, "nodeSelector"), m->key), "%s", message);
    }
    JSON_EACH(t, json_get(a, "requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"))
        selector_term(w, FIELD_INDEX(FIELD(FIELD(affinity, "requiredDuringSchedulingIgnoredDuringExecution"), "nodeSelectorTerms"), i++), t, false);
    i = 0;
    JSON_EACH(t, json_member(a, "preferredDuringSchedulingIgnoredDuringExecution"))
        selector_term(w, FIELD(FIELD_INDEX(FIELD(affinity, "preferredDuringSchedulingIgnoredDuringExecution"), i++), "preference"), json_member(t, "preference"), true);
    i = 0;
    JSON_EACH(t, json_member(o, "topologySpreadConstraints")) {
        const struct field_path *at = FIELD_INDEX(FIELD(p, "topologySpreadConstraints"), i++);
        const char *message = deprecated_label(str_of(t, "topologyKey"));
        if (message) warn(w, FIELD(at, "topologyKey"), "%s is %s", str_of(t, "topologyKey"), message);
        if (!has(t, "labelSelector")) warn(w, FIELD(at, "labelSelector"), "a null labelSelector results in matching no pod");
    }
}

static void pod_affinity(WARN) {
    static const char *const kinds[] = {"podAffinity", "podAntiAffinity"};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        const struct json *a = json_member(json_member(o, "affinity"), kinds[k]);
        const struct field_path *at = FIELD(FIELD(p, "affinity"), kinds[k]);
        size_t i = 0;
        JSON_EACH(t, json_member(a, "requiredDuringSchedulingIgnoredDuringExecution")) {
            const struct field_path *term = FIELD_INDEX(FIELD(at, "requiredDuringSchedulingIgnoredDuringExecution"), i++);
            if (!has(t, "labelSelector")) warn(w, FIELD(term, "labelSelector"), "a null labelSelector results in matching no pod");
        }
        i = 0;
        JSON_EACH(t, json_member(a, "preferredDuringSchedulingIgnoredDuringExecution")) {
            const struct field_path *term = FIELD(FIELD_INDEX(FIELD(at, "preferredDuringSchedulingIgnoredDuringExecution"), i++), "podAffinityTerm");
            if (!has(json_member(t, "podAffinityTerm"), "labelSelector")) warn(w, FIELD(term, "labelSelector"), "a null labelSelector results in matching no pod");
        }
    }
}

/* ---- volumes ---- */

static void deprecated_volumes(WARN) {
    static const struct { const char *source, *shown, *message; } sources[] = {
        {"photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"},
        {"gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"},
        {"scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"}, {"flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"},
        {"storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"}, {"quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"},
        {"glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"}, {"cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"},
        {"rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"}};
    size_t i = 0;
    JSON_EACH(v, json_member(o, "volumes")) {
        JSON_EACH_MEMBER(m, v) { /* its name and its source: one */
            for (size_t k = 0; k < ARRAY_LEN(sources); k++) {
                if (strcmp(m->key, sources[k].source) == 0) warn(w, FIELD(FIELD_INDEX(FIELD(p, "volumes"), i), sources[k].shown), "%s", sources[k].message);
            }
        }
        i++;
    }
}

struct paths {
    struct json_array *w;
    const char *volume, *kind;
    struct path { const char *path, *text; } *seen;
    size_t len, cap;
};

static bool below(const char *path, const char *dir) {
    size_t n = strlen(dir);
    return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* A file of a volume, from `source` ("" where there is only one). */
static void add_path(struct paths *s, const char *path, const char *source) {
    struct arena *a = s->w->arena;
    size_t n = strlen(path);
    while (n > 0 && path[n - 1] == '/') n--;
    path = arena_strndup(a, path, n);
    const char *text = *source ? arena_printf(a, "%s (%s)", status_quote(a, path), source) : status_quote(a, path);
    for (size_t i = 0; i < s->len; i++) {
        const struct path *other = &s->seen[i];
        if (*path && *other->path && (below(path, other->path) || below(other->path, path)))
            json_array_add(s->w, json_strf(a, "volume \"%s\" (%s): overlapping paths: %s with %s", s->volume, s->kind, text, other->text));
    }
    if (s->len == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 4;
        s->seen = arena_grow(a, s->seen, s->cap * sizeof(*s->seen), cap * sizeof(*s->seen));
        s->cap = cap;
    }
    s->seen[s->len++] = (struct path){path, text};
}

static void add_items(struct paths *s, const struct json *source, const char *from) {
    JSON_EACH(i, json_member(source, "items")) add_path(s, str_of(i, "path"), from);
}

static void overlapping_paths(struct json_array *w, const struct json *spec) {
    struct arena *a = w->arena;
    static const struct { const char *source, *kind, *name; } sources[] = {
        {"configMap", "ConfigMap", "name"}, {"secret", "Secret", "secretName"}, {"downwardAPI", "DownwardAPI", NULL}};
    JSON_EACH(v, json_member(spec, "volumes")) {
        for (size_t k = 0; k < ARRAY_LEN(sources); k++) {
            const struct json *s = json_member(v, sources[k].source);
            if (s == NULL) continue;
            const char *kind = sources[k].name ? arena_printf(a, "%s \"%s\"", sources[k].kind, str_of(s, sources[k].name)) : sources[k].kind;
            struct paths paths = {.w = w, .volume = str_of(v, "name"), .kind = kind};
            add_items(&paths, s, "");
        }
        struct paths all = {.w = w, .volume = str_of(v, "name"), .kind = "Projected"};
        JSON_EACH(s, json_get(v, "projected.sources")) {
            const struct json *map = json_member(s, "configMap"), *secret = json_member(s, "secret"), *token = json_member(s, "serviceAccountToken"),
                              *bundle = json_member(s, "clusterTrustBundle");
            if (json_len(s) == 0) json_array_add(w, json_strf(a, "volume \"%s\" (Projected) has no sources provided", all.volume));
            if (map) add_items(&all, map, arena_printf(a, "ConfigMap \"%s\"", str_of(map, "name")));
            if (secret) add_items(&all, secret, arena_printf(a, "Secret \"%s\"", str_of(secret, "name")));
            add_items(&all, json_member(s, "downwardAPI"), "DownwardAPI");
            if (token) add_path(&all, str_of(token, "path"), "ServiceAccountToken");
            if (bundle) add_path(&all, str_of(bundle, "path"), arena_printf(a, "ClusterTrustBundle \"%s\"", str_of(bundle, has(bundle, "name") ? "name" : "signerName")));
        }
    }
}

/* ---- containers ---- */

static bool fractional(const struct json *q) {
    struct quantity value;
    return q && quantity_parse(text_of(q), &value) && quantity_milli_value(&value) % 1000 != 0;
}

static void whole_bytes(WARN) {
    static const char *const names[] = {"memory", "ephemeral-storage"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct json *q = json_member(o, names[i]);
        if (fractional(q)) warn(w, FIELD_KEY(p, names[i]), "fractional byte value %s is invalid, must be an integer", status_quote(w->arena, text_of(q)));
    }
}

static void environment(WARN) {
    const struct json *env = json_member(o, "env");
    size_t i = 0;
    JSON_EACH(v, env) {
        const char *name = str_of(v, "name"), *value = str_of(v, "value"), *ref = arena_printf(w->arena, "$(%s)", name);
        bool seen = false;
        for (size_t k = 0; k < i; k++) seen |= strcmp(str_of(json_at(env, k), "name"), name) == 0;
        if (seen && (has(v, "valueFrom") || strcmp(value, ref) == 0 || !strstr(value, ref)))
            warn(w, FIELD_INDEX(FIELD(p, "env"), i), "hides previous definition of \"%s\", which may be dropped when using apply", name);
        i++;
    }
}

struct port {
    const char *at, *name, *host_ip, *protocol;
    int64_t port, host_port;
};

static void compare_ports(struct json_array *w, const struct field_path *at, const struct port *a, const struct port *b) {
    if (a->port != b->port || strcmp(a->protocol, b->protocol) != 0) return;
    bool any = !*a->host_ip, other_any = !*b->host_ip;
    if (strcmp(a->host_ip, b->host_ip) == 0 && a->host_port == b->host_port) warn(w, at, "duplicate port definition with %s", b->at);
    else if (a->host_port == 0 || b->host_port == 0) warn(w, at, "overlapping port definition with %s", b->at);
    else if (a->host_port == b->host_port && any != other_any) warn(w, at, "dangerously ambiguous port definition with %s", b->at);
}

static void container_ports(WARN, struct port *all, size_t *n, bool names) {
    size_t i = 0;
    JSON_EACH(v, json_member(o, "ports")) {
        const struct field_path *at = FIELD_INDEX(FIELD(p, "ports"), i++);
        struct port k = {field_path_text(w->arena, at), str_of(v, "name"), str_of(v, "hostIP"), str_of(v, "protocol"), json_int(v, "containerPort", 0), json_int(v, "hostPort", 0)};
        if (!names && *k.host_ip && k.host_port == 0)
            warn(w, at, "hostIP set without hostPort: {Name:%s HostPort:0 ContainerPort:%ld Protocol:%s HostIP:%s}", k.name, (long)k.port, k.protocol, k.host_ip);
        bool named = false;
        for (size_t m = 0; m < *n; m++) {
            if (!names) compare_ports(w, at, &k, &all[m]);
            else if (*k.name && !named && strcmp(all[m].name, k.name) == 0) {
                named = true;
                warn(w, at, "duplicate port name \"%s\" with %s, services and probes that select ports by name will use %s", k.name, all[m].at, all[m].at);
            }
        }
        all[(*n)++] = k;
    }
}

static bool is_for(const char *annotation, const char *prefix, const struct json *container) {
    return str_starts(annotation, prefix) && strcmp(annotation + strlen(prefix), str_of(container, "name")) == 0;
}

static void each_container(WARN, const struct json *annotations, bool template) {
    static const char seccomp[] = "container.seccomp.security.alpha.kubernetes.io/", apparmor[] = "container.apparmor.security.beta.kubernetes.io/";
    struct arena *a = w->arena;
    const struct field_path *notes = FIELD(FIELD(p->parent, "metadata"), "annotations");
    size_t ports = 0;
    EACH_CONTAINER_KIND(kind) {
        size_t i = 0;
        JSON_EACH(c, json_member(o, *kind)) {
            const struct field_path *at = FIELD_INDEX(FIELD(p, *kind), i++), *resources = FIELD(at, "resources");
            JSON_EACH_MEMBER(m, annotations) {
                if (!has(json_member(c, "securityContext"), "seccompProfile") && is_for(m->key, seccomp, c))
                    warn(w, FIELD_KEY(notes, m->key), "non-functional in v1.27+; use the \"seccompProfile\" field instead");
            }
            JSON_EACH_MEMBER(m, template ? annotations : NULL) {
                if (!has(json_member(c, "securityContext"), "appArmorProfile") && is_for(m->key, apparmor, c))
                    warn(w, FIELD_KEY(notes, m->key), "deprecated since v1.30; use the \"appArmorProfile\" field instead");
            }
            static const char *const words[] = {"limits", "requests"}, *const names[] = {"memory", "ephemeral-storage"};
            for (size_t n = 0; n < ARRAY_LEN(names); n++) {
                for (size_t k = 0; k < ARRAY_LEN(words); k++) {
                    const struct json *q = json_member(json_member(json_member(c, "resources"), words[k]), names[n]);
                    if (fractional(q)) warn(w, FIELD_KEY(FIELD(resources, words[k]), names[n]), "fractional byte value %s is invalid, must be an integer", status_quote(a, text_of(q)));
                }
            }
            environment(w, at, c);
            ports += json_len(json_member(c, "ports"));
        }
    }
    struct port *all = arena_calloc(a, ports + 1, sizeof(*all));
    for (int names = 0; names < 2; names++) {
        size_t n = 0;
        EACH_CONTAINER_KIND(kind) {
            size_t i = 0;
            JSON_EACH(c, json_member(o, *kind)) container_ports(w, FIELD_INDEX(FIELD(p, *kind), i++), c, all, &n, names == 1);
        }
    }
}

/* ---- a pod, or a template of pods ---- */

static void doubled(WARN, const char *list, const char *member, const char *what) {
    const struct json *items = json_member(o, list);
    size_t i = 0;
    JSON_EACH(v, items) {
        bool seen = false;
        for (size_t k = 0; k < i; k++) seen |= strcmp(str_of(json_at(items, k), member), str_of(v, member)) == 0;
        if (seen) warn(w, FIELD(FIELD_INDEX(FIELD(p, list), i), member), "duplicate %s \"%s\"", what, str_of(v, member));
        i++;
    }
}

static void addresses(WARN) {
    size_t i = 0;
    JSON_EACH(n, json_get(o, "dnsConfig.nameservers")) {
        const char *text = name_ip_warning(w->arena, FIELD_INDEX(FIELD(FIELD(p, "dnsConfig"), "nameservers"), i++), text_of(n));
        if (text) json_array_add(w, json_string(w->arena, text));
    }
    i = 0;
    JSON_EACH(h, json_member(o, "hostAliases")) {
        const char *text = name_ip_warning(w->arena, FIELD(FIELD_INDEX(FIELD(p, "hostAliases"), i++), "ip"), str_of(h, "ip"));
        if (text) json_array_add(w, json_string(w->arena, text));
    }
}

/* `p` is the path of the pod or template: its root, FIELD(NULL, ""), or spec.template. */
static void pod_warnings(WARN, bool template) {
    static const struct { const char *key, *message; } old_annotations[] = {
        {"scheduler.alpha.kubernetes.io/critical-pod", "non-functional in v1.16+; use the \"priorityClassName\" field instead"},
        {"security.alpha.kubernetes.io/sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"},
        {"security.alpha.kubernetes.io/unsafe-sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"}};
    static const char pod_seccomp[] = "seccomp.security.alpha.kubernetes.io/pod";
    const struct json *spec = json_member(o, "spec"), *annotations = json_get(o, "metadata.annotations");
    const struct field_path *at = FIELD(p, "spec"), *notes = FIELD(FIELD(p, "metadata"), "annotations");
    node_placement(w, at, spec);
    for (size_t i = 0; i < ARRAY_LEN(old_annotations); i++) {
        if (json_member(annotations, old_annotations[i].key)) warn(w, FIELD_KEY(notes, old_annotations[i].key), "%s", old_annotations[i].message);
    }
    deprecated_volumes(w, at, spec);
    overlapping_paths(w, spec);
    doubled(w, at, spec, "hostAliases", "ip", "ip");
    doubled(w, at, spec, "imagePullSecrets", "name", "name");
    size_t i = 0;
    JSON_EACH(s, json_member(spec, "imagePullSecrets")) {
        if (!*str_of(s, "name")) warn(w, FIELD(FIELD_INDEX(FIELD(at, "imagePullSecrets"), i), "name"), "invalid empty name \"\"");
        i++;
    }
    whole_bytes(w, FIELD(at, "overhead"), json_member(spec, "overhead"));
    if (!has(json_member(spec, "securityContext"), "seccompProfile") && json_member(annotations, pod_seccomp))
        warn(w, FIELD_KEY(notes, pod_seccomp), "non-functional in v1.27+; use the \"seccompProfile\" field instead");
    each_container(w, at, spec, annotations, template);
    if (template && json_int(spec, "terminationGracePeriodSeconds", 0) < 0) /* of a pod it is 1 by now */
        warn(w, FIELD(at, "terminationGracePeriodSeconds"), "must be >= 0; negative values are invalid and will be treated as 1");
    pod_affinity(w, at, spec);
    addresses(w, at, spec);
}

static void template_at(struct json_array *w, const struct field_path *p, const char *path, const struct json *o, const struct json *old) {
    const struct json *now = json_get(o, path);
    if (old == NULL || !json_semantic_equal(now, json_get(old, path))) pod_warnings(w, p, now, true);
}

void warn_pod_template(struct json_array *w, const struct json *o, const struct json *old) { template_at(w, FIELD(NULL, "template"), "template", o, old); }

void warn_workload(struct json_array *w, const struct json *o, const struct json *old) { template_at(w, FIELD(SPEC, "template"), "spec.template", o, old); }

/* Names that end up in names of pods and hosts. */
static void host_name(struct json_array *w, const struct json *o, const struct json *old, const char *where) {
    struct name_errors errors = name_dns1123_label(json_str_or(o, "metadata.name", ""));
    const char *text = "";
    for (size_t i = 0; i < errors.len; i++) text = arena_printf(w->arena, "%s%s%s", text, i ? " " : "", errors.items[i]);
    if (errors.len && old == NULL)
        json_array_add(w, json_strf(w->arena, "metadata.name: this is used in %s, which can result in surprising behavior; a DNS label is recommended: [%s]", where, text));
}

void warn_pod(struct json_array *w, const struct json *o, const struct json *old) {
    host_name(w, o, old, "the Pod's hostname");
    if (old == NULL) pod_warnings(w, NULL, o, false); /* people do not update pods */
}

#define OF_PODS "Pod names and hostnames"
void warn_named_workload(struct json_array *w, const struct json *o, const struct json *old) {
    host_name(w, o, old, OF_PODS);
    warn_workload(w, o, old);
}

void warn_cron_job(struct json_array *w, const struct json *o, const struct json *old) {
    host_name(w, o, old, OF_PODS);
    template_at(w, FIELD(FIELD(FIELD(SPEC, "jobTemplate"), "spec"), "template"), "spec.jobTemplate.spec.template", o, old);
}

void warn_csi_driver(struct json_array *w, const struct json *o, const struct json *old) {
    const struct json *requests = json_get(o, "spec.tokenRequests");
    if (json_len(requests) == 0 || has(json_member(o, "spec"), "serviceAccountTokenInSecrets")) return;
    if (old && json_semantic_equal(requests, json_get(old, "spec.tokenRequests"))) return;
    json_array_add(w, json_string(w->arena, "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging "
                                            "of tokens in volume attributes"));
}

/* Go's crypto/tls says what it misses first. */
void warn_secret(struct json_array *w, const struct json *o, const struct json *old UNUSED) {
    static const struct { const char *key, *what; } parts[] = {{"tls.crt", "certificate"}, {"tls.key", "key"}};
    if (!json_str_is(o, "type", "kubernetes.io/tls")) return;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const char *text = text_of(json_member(json_member(o, "data"), parts[i].key));
        char *pem;
        size_t n;
        if (base64_decode(w->arena, text, strlen(text), &pem, &n) && memmem(pem, n, "-----BEGIN ", 11)) continue;
        json_array_add(w, json_strf(w->arena, "tls: failed to find any PEM data in %s input", parts[i].what));
        return;
    }
}

void warn_runtime_class(struct json_array *w, const struct json *o, const struct json *old UNUSED) {
    JSON_EACH_MEMBER(m, json_get(o, "scheduling.nodeSelector")) {
        const char *message = deprecated_label(m->key);
        if (message) warn(w, FIELD(FIELD(NULL, "scheduling"), "nodeSelector"), "%s", message);
    }
}

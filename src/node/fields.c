/* Values of the downward API: upstream's fieldpath and resource helpers. */
#include "node/cgroups.h"
#include "node/container.h"
#include "node/objects.h"

static void quote(struct buf *b, const char *s) { /* as strconv.Quote */
    buf_addc(b, '"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        const char *escape = c == '"' ? "\\\"" : c == '\\' ? "\\\\" : c == '\n' ? "\\n" : c == '\t' ? "\\t" : c == '\r' ? "\\r" : NULL;
        if (escape) buf_adds(b, escape);
        else if (c < 0x20 || c == 0x7f) buf_printf(b, "\\x%02x", c);
        else buf_addc(b, *s);
    }
    buf_addc(b, '"');
}

static int by_key(const void *x, const void *y) { return strcmp(((const struct json_member *)x)->key, ((const struct json_member *)y)->key); }

static const char *format_map(struct arena *a, const struct json *map) {
    struct buf b = {0};
    size_t n = json_len(map);
    struct json_member *m = n ? arena_dup(a, map->members, n * sizeof(*m)) : NULL;
    if (n) qsort(m, n, sizeof(*m), by_key);
    for (size_t i = 0; i < n; i++) {
        buf_printf(&b, "%s%s=", i ? "\n" : "", m[i].key);
        quote(&b, json_str_or(&m[i].value, NULL, ""));
    }
    const char *text = arena_strdup(a, buf_str(&b));
    buf_free(&b);
    return text;
}

/* What the kubelet notes on every pod that it got from the API server. */
static const struct json *annotations(struct arena *a, struct pod_worker *w, const struct json *pod) {
    char text[TIME_STRING_MAX];
    const struct json *all = json_get(pod, "metadata.annotations");
    if (!all) all = &json_empty_object;
    if (json_member(all, "kubernetes.io/config.source")) return all;
    all = json_with_member(a, all, "kubernetes.io/config.seen", json_string(a, time_format_micro(text, w->started)));
    return json_with_member(a, all, "kubernetes.io/config.source", json_string(a, "api"));
}

static const char *join(struct arena *a, const char *const *list) {
    const char *out = "";
    for (; list && *list; list++) out = arena_printf(a, "%s%s%s", out, *out ? "," : "", *list);
    return out;
}

static const char *subscript(struct arena *a, const char *path, const char *map) {
    size_t n = strlen(map);
    if (strncmp(path, map, n) != 0 || path[n] != '[' || path[n + 1] != '\'') return NULL;
    const char *end = strstr(path + n + 2, "']");
    return end ? arena_strndup(a, path + n + 2, (size_t)(end - path - (ssize_t)n - 2)) : NULL;
}

struct error *field_value(struct arena *a, struct pod_worker *w, const struct json *pod, const char *const *ips, const char *path,
                          const char **out) {
    const char *label = subscript(a, path, "metadata.labels"), *annotation = subscript(a, path, "metadata.annotations");
    const char *const *hosts = w->node->config.addresses;
    if (pod_is_host_network(pod)) ips = hosts;
    if (label) *out = json_str_or(json_member(object_labels(pod), label), NULL, "");
    else if (annotation) *out = json_str_or(json_member(annotations(a, w, pod), annotation), NULL, "");
    else if (str_eq(path, "metadata.labels")) *out = format_map(a, object_labels(pod));
    else if (str_eq(path, "metadata.annotations")) *out = format_map(a, annotations(a, w, pod));
    else if (str_eq(path, "status.hostIP")) *out = hosts[0];
    else if (str_eq(path, "status.hostIPs")) *out = join(a, hosts);
    else if (str_eq(path, "status.podIP")) *out = ips && *ips ? *ips : "";
    else if (str_eq(path, "status.podIPs")) *out = join(a, ips);
    else if (str_starts(path, "metadata.") || str_starts(path, "spec.")) *out = json_str_or(pod, path, "");
    else return error_new("unsupported fieldPath: %s", path);
    return NULL;
}

static struct quantity allocatable(struct node *n, const char *resource) {
    LOCK(n);
    struct quantity q = n->object ? quantity_of(json_member(json_get(n->object->root, "status.allocatable"), resource)) : (struct quantity){0};
    UNLOCK(n);
    return q;
}

struct error *field_resource_value(struct arena *a, struct node *n, const struct json *pod, const struct json *container,
                             const struct json *ref, const char **out) {
    const char *what = json_str_or(ref, "resource", ""), *name = strchr(what, '.');
    if (json_str(ref, "containerName") && *json_str(ref, "containerName")) container = pod_container(pod, json_str(ref, "containerName"), NULL);
    if (!name) return error_new("unsupported container resource : %s", what);
    bool limits = str_starts(what, "limits.");
    struct quantity q = limits ? container_limit(container, name + 1)
                               : quantity_of(json_member(json_get(container, "resources.requests"), name + 1));
    if (q.value == 0 && limits) q = allocatable(n, name + 1); /* without a limit the node is the limit */
    struct quantity divisor = quantity_of(json_member(ref, "divisor"));
    if (divisor.value == 0) divisor = (struct quantity){.value = 1};
    bool cpu = str_eq(name + 1, "cpu");
    int64_t value = cpu ? quantity_milli_value(&q) : quantity_value(&q), by = cpu ? quantity_milli_value(&divisor) : quantity_value(&divisor);
    *out = arena_printf(a, "%lld", (long long)(by ? (value + by - 1) / by : 0));
    return NULL;
}

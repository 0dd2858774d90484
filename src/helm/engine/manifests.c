/* Documents, hooks and their order: see manifests.h. */
#include "helm/engine/manifests.h"
#include "base/str.h"
#include "helm/chart/decode.h"
#include "helm/go/strconv.h"
#include <ctype.h>
#include <stdio.h>

const char *const hook_event_names[HOOK_EVENT_COUNT] = {"pre-install",  "post-install", "pre-delete",    "post-delete", "pre-upgrade",
                                                        "post-upgrade", "pre-rollback", "post-rollback", "test"};

/* ---- kinds ---- */

static const char *const install_order[] = {
    "PriorityClass", "Namespace", "NetworkPolicy", "ResourceQuota", "LimitRange", "PodSecurityPolicy", "PodDisruptionBudget",
    "ServiceAccount", "Secret", "SecretList", "ConfigMap", "StorageClass", "PersistentVolume", "PersistentVolumeClaim",
    "CustomResourceDefinition", "ClusterRole", "ClusterRoleList", "ClusterRoleBinding", "ClusterRoleBindingList", "Role", "RoleList",
    "RoleBinding", "RoleBindingList", "Service", "DaemonSet", "Pod", "ReplicationController", "ReplicaSet", "Deployment",
    "HorizontalPodAutoscaler", "StatefulSet", "Job", "CronJob", "IngressClass", "Ingress", "APIService",
};
static const char *const uninstall_order[] = {
    "APIService", "Ingress", "IngressClass", "Service", "CronJob", "Job", "StatefulSet", "HorizontalPodAutoscaler", "Deployment",
    "ReplicaSet", "ReplicationController", "Pod", "DaemonSet", "RoleBindingList", "RoleBinding", "RoleList", "Role",
    "ClusterRoleBindingList", "ClusterRoleBinding", "ClusterRoleList", "ClusterRole", "CustomResourceDefinition",
    "PersistentVolumeClaim", "PersistentVolume", "StorageClass", "ConfigMap", "SecretList", "Secret", "ServiceAccount",
    "PodDisruptionBudget", "PodSecurityPolicy", "LimitRange", "ResourceQuota", "NetworkPolicy", "Namespace", "PriorityClass",
};
_Static_assert(ARRAY_LEN(install_order) == ARRAY_LEN(uninstall_order), "both orders know the same kinds");

static size_t rank(const char *kind, bool uninstall) {
    const char *const *order = uninstall ? uninstall_order : install_order;
    size_t i = 0;
    while (i < ARRAY_LEN(install_order) && (order[i][0] != kind[0] || !str_eq(order[i], kind))) i++;
    return i;
}

static int compare_ranks(size_t x, const char *a, size_t y, const char *b) {
    if (x == ARRAY_LEN(install_order) && y == x) return strcmp(a, b);
    return (x > y) - (x < y);
}

int manifest_compare_kinds(const char *a, const char *b, bool uninstall) { return compare_ranks(rank(a, uninstall), a, rank(b, uninstall), b); }

/* ---- documents ---- */

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r' && c != '\v'); } /* RE2's \s */

static const char *cut(char *start, char *end) {
    while (start < end && isspace((unsigned char)*start)) start++;
    while (end > start && isspace((unsigned char)end[-1])) end--;
    *end = '\0';
    return start;
}

/* The line break before the next line that begins with "---". */
static char *line_of_dashes(char *from, const char *end) {
    while ((from = memchr(from, '\n', (size_t)(end - from))) != NULL) {
        if (end - from >= 4 && memcmp(from, "\n---", 4) == 0) return from;
        from++;
    }
    return NULL;
}

/* The separator is (?:^|\s*\n)---\s* in the trimmed text: one that starts the text, or a line break, dashes, and all space around. */
const char **manifests_split_in_place(struct arena *a, char *text, size_t len, size_t *count) {
    char *end = text + len, *at, *after;
    const char **out = NULL;
    size_t cap = 0;
    *count = 0;
    while (text < end && isspace((unsigned char)*text)) text++;
    while (end > text && isspace((unsigned char)end[-1])) end--;
    char *start = text, *from = text;
    bool first = end - text >= 3 && memcmp(text, "---", 3) == 0;
    for (;; first = false) {
        char *match = first ? text : NULL;
        after = text + 3;
        if (!first && from < end && (at = line_of_dashes(from, end)) != NULL) {
            after = at + 4;
            while (at > start && is_space(at[-1])) at--;
            match = at;
        }
        char *stop = match != NULL ? match : end;
        while (match != NULL && after < end && is_space(*after)) after++;
        if (stop > start) {
            if (*count == cap) {
                out = arena_grow(a, out, cap * sizeof(*out), (cap * 2 + 16) * sizeof(*out));
                cap = cap * 2 + 16;
            }
            out[(*count)++] = cut(start, stop);
        }
        if (match == NULL) return out;
        start = from = after;
    }
}

const char **manifests_split(struct arena *a, const char *text, size_t len, size_t *count) {
    return manifests_split_in_place(a, arena_strndup(a, text, len), len, count);
}

/* ---- heads ---- */

enum { HEAD_VERSION, HEAD_KIND, HEAD_METADATA };
enum { METADATA_NAME, METADATA_ANNOTATIONS };
static const struct go_field metadata_fields[] = {
    {"Name", &go_string, "name", false, false}, {"Annotations", &go_map_string, "annotations", false, false}, {NULL, NULL, NULL, false, false}};
static const struct go_type metadata_struct = {
    .kind = GO_STRUCT, .name = "struct { Name string \"json:\\\"name\\\"\"; Annotations map[string]string \"json:\\\"annotations\\\"\" }", .fields = metadata_fields};
static const struct go_type metadata_pointer = {.kind = GO_POINTER, .name = "*struct", .elem = &metadata_struct};
static const struct go_field head_fields[] = {
    {"Version", &go_string, "apiVersion", false, false}, {"Kind", &go_string, "kind", true, false}, {"Metadata", &metadata_pointer, "metadata", true, false}, {NULL, NULL, NULL, false, false}};
static const struct go_type head_type = {.kind = GO_STRUCT, .name = "releaseutil.SimpleHead", .fields = head_fields};

static const char *annotation(struct arena *a, const struct value *metadata, const char *key) {
    struct value *v = metadata != NULL ? value_map_get(metadata[METADATA_ANNOTATIONS].map, key, strlen(key)) : NULL;
    return v != NULL ? value_cstr(a, *v) : NULL;
}

static const char *trimmed_lower(struct arena *a, const char *s) {
    while (isspace((unsigned char)*s)) s++;
    char *out = arena_strdup(a, s);
    size_t n = strlen(out);
    while (n > 0 && isspace((unsigned char)out[n - 1])) out[--n] = '\0';
    for (size_t i = 0; i < n; i++) out[i] = (char)tolower((unsigned char)out[i]);
    return out;
}

static const char **policies(struct arena *a, const char *text) {
    size_t count = 0;
    char **parts = text != NULL ? str_split(a, text, ',', &count) : NULL;
    const char **out = arena_calloc(a, count + 1, sizeof(*out));
    for (size_t i = 0; i < count; i++) out[i] = trimmed_lower(a, parts[i]);
    return out;
}

/* false: an event that helm does not know; then there is no hook at all. */
static bool parse_events(struct arena *a, const char *text, struct hook *h) {
    size_t count;
    char **parts = str_split(a, text, ',', &count);
    for (size_t i = 0; i < count; i++) {
        const char *name = trimmed_lower(a, parts[i]);
        size_t e = 0;
        while (e < HOOK_EVENT_COUNT && !str_eq(name, hook_event_names[e])) e++;
        if (str_eq(name, "test-success")) e = HOOK_TEST;
        if (e == HOOK_EVENT_COUNT) return false;
        if (h->event_count < ARRAY_LEN(h->events)) h->events[h->event_count++] = (enum hook_event)e;
    }
    return true;
}

struct sorter {
    struct arena *arena;
    struct manifests *out;
    size_t manifest_cap, hook_cap;
};

static void add_manifest(struct sorter *s, struct manifest m) {
    if (s->out->count == s->manifest_cap) {
        size_t cap = s->manifest_cap * 2 + 64;
        s->out->items = arena_grow(s->arena, s->out->items, s->manifest_cap * sizeof(m), cap * sizeof(m));
        s->manifest_cap = cap;
    }
    s->out->items[s->out->count++] = m;
}

static void add_hook(struct sorter *s, struct hook h) {
    if (s->out->hook_count == s->hook_cap) {
        size_t cap = s->hook_cap * 2 + 16;
        s->out->hooks = arena_grow(s->arena, s->out->hooks, s->hook_cap * sizeof(h), cap * sizeof(h));
        s->hook_cap = cap;
    }
    s->out->hooks[s->out->hook_count++] = h;
}

static struct error *sort_document(struct sorter *s, const char *path, const char *document) {
    cleanup_arena struct arena scratch = {0};
    struct arena *a = s->arena;
    struct value head = {.type = &head_type};
    struct error *e = go_decode_yaml(&scratch, document, strlen(document), &head);
    if (e != NULL) return error_wrap(e, "YAML parse error on %s", path);
    const struct value *items = head.items, *metadata = items != NULL ? items[HEAD_METADATA].items : NULL;
    const char *kind = items != NULL ? arena_strndup(a, items[HEAD_KIND].s, items[HEAD_KIND].len) : "";
    const char *events = annotation(&scratch, metadata, "helm.sh/hook");
    if (events == NULL) {
        const char *version = items != NULL ? arena_strndup(a, items[HEAD_VERSION].s, items[HEAD_VERSION].len) : "";
        add_manifest(s, (struct manifest){.name = path, .content = document, .api_version = version, .kind = kind, .rank = rank(kind, false)});
        return NULL;
    }
    struct hook h = {.kind = kind, .rank = rank(kind, false), .path = path, .manifest = document};
    h.name = arena_strndup(a, metadata[METADATA_NAME].s, metadata[METADATA_NAME].len);
    const char *weight = annotation(&scratch, metadata, "helm.sh/hook-weight");
    cleanup_error struct error *bad = weight != NULL ? go_atoi(weight, strlen(weight), &h.weight) : NULL;
    if (bad != NULL) h.weight = 0;
    if (!parse_events(&scratch, events, &h)) {
        cleanup_buf struct buf shown = {0};
        go_quote(&shown, events, strlen(events));
        fprintf(stderr, "info: skipping unknown hook: %s\n", buf_str(&shown));
        return NULL;
    }
    h.delete_policies = policies(a, annotation(&scratch, metadata, "helm.sh/hook-delete-policy"));
    h.output_log_policies = policies(a, annotation(&scratch, metadata, "helm.sh/hook-output-log-policy"));
    add_hook(s, h);
    return NULL;
}

/* ---- all files ---- */

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct engine_file *)a)->name, ((const struct engine_file *)b)->name);
}

/* Merge sort keeps the order of equals; qsort would not. */
static void stable_sort(struct arena *a, void *items, size_t count, size_t size, int (*compare)(const void *, const void *)) {
    if (count < 2) return;
    size_t half = count / 2;
    char *left = items, *right = left + half * size, *sorted = arena_alloc(a, count * size), *to = sorted;
    stable_sort(a, left, half, size, compare);
    stable_sort(a, right, count - half, size, compare);
    const char *l = left, *r = right, *end = left + count * size;
    while (l < right || r < end) {
        bool take_left = r == end || (l < right && compare(l, r) <= 0);
        memcpy(to, take_left ? l : r, size);
        to += size;
        if (take_left) l += size;
        else r += size;
    }
    memcpy(items, sorted, count * size);
}

static int by_kind(const void *a, const void *b) {
    const struct manifest *x = a, *y = b;
    return compare_ranks(x->rank, x->kind, y->rank, y->kind);
}
static int hooks_by_kind(const void *a, const void *b) {
    const struct hook *x = a, *y = b;
    return compare_ranks(x->rank, x->kind, y->rank, y->kind);
}

static bool is_blank(const struct engine_file *f) {
    for (size_t i = 0; i < f->len; i++) {
        if (!isspace((unsigned char)f->text[i])) return false;
    }
    return true;
}

struct error *manifests_sort(struct arena *a, const struct engine_files *files, struct manifests *out) {
    struct sorter s = {.arena = a, .out = out};
    struct engine_file *sorted = arena_dup(a, files->items, files->count * sizeof(*sorted));
    if (files->count > 0) qsort(sorted, files->count, sizeof(*sorted), by_name);
    for (size_t i = 0; i < files->count; i++) {
        if (is_blank(&sorted[i])) continue;
        size_t count;
        const char **documents = manifests_split_in_place(a, sorted[i].text, sorted[i].len, &count);
        for (size_t j = 0; j < count; j++) TRY(sort_document(&s, sorted[i].name, documents[j]));
    }
    cleanup_arena struct arena scratch = {0};
    stable_sort(&scratch, out->items, out->count, sizeof(*out->items), by_kind);
    stable_sort(&scratch, out->hooks, out->hook_count, sizeof(*out->hooks), hooks_by_kind);
    return NULL;
}

/* Values as messages show them: upstream's internal Go types, and differences between two of them. */
#include "apiserver/validation/rules.h"

/* Go names that are not just the JSON name with a capital; with a type's prefix where they hold for it only. */
static const struct { const char *type, *json, *go; } go_names[] = {
    {NULL, "awsElasticBlockStore", "AWSElasticBlockStore"}, {NULL, "gcePersistentDisk", "GCEPersistentDisk"}, {NULL, "cephfs", "CephFS"},
    {NULL, "storageos", "StorageOS"}, {NULL, "apiVersion", "APIVersion"}, {NULL, "apiVersions", "APIVersions"}, {NULL, "apiGroup", "APIGroup"},
    {NULL, "apiGroups", "APIGroups"}, {NULL, "pdName", "PDName"}, {NULL, "fsType", "FSType"}, {NULL, "iscsiInterface", "ISCSIInterface"}, {NULL, "jsonPath", "JSONPath"},
    {NULL, "chapAuthDiscovery", "DiscoveryCHAPAuth"}, {NULL, "chapAuthSession", "SessionCHAPAuth"}, {NULL, "wwids", "WWIDs"},
    {"core/v1/Glusterfs", "endpoints", "EndpointsName"}, {"core/v1/RBD", "monitors", "CephMonitors"}, {"core/v1/RBD", "image", "RBDImage"},
    {"core/v1/RBD", "pool", "RBDPool"}, {"core/v1/RBD", "user", "RadosUser"}, {NULL, "diskURI", "DataDiskURI"}, {NULL, "sslEnabled", "SSLEnabled"},
    {NULL, "httpHeaders", "HTTPHeaders"}, {NULL, "httpGet", "HTTPGet"}, {NULL, "tcpSocket", "TCPSocket"}, {NULL, "lastState", "LastTerminationState"},
    {NULL, "dnsPolicy", "DNSPolicy"}, {NULL, "dnsConfig", "DNSConfig"}, {NULL, "seLinuxOptions", "SELinuxOptions"}, {NULL, "fsGroup", "FSGroup"},
    {NULL, "fsGroupChangePolicy", "FSGroupChangePolicy"}, {NULL, "seLinuxChangePolicy", "SELinuxChangePolicy"}, {NULL, "qosClass", "QOSClass"},
    {NULL, "ipMode", "IPMode"}, {NULL, "ipFamilies", "IPFamilies"}, {NULL, "ipFamilyPolicy", "IPFamilyPolicy"}, {NULL, "externalID", "DoNotUseExternalID"},
    {NULL, "osImage", "OSImage"}, {NULL, "reportingComponent", "ReportingController"}, {NULL, "gmsaCredentialSpecName", "GMSACredentialSpecName"},
    {NULL, "gmsaCredentialSpec", "GMSACredentialSpec"}, {NULL, "ttlSecondsAfterFinished", "TTLSecondsAfterFinished"}, {NULL, "ipBlock", "IPBlock"},
    {NULL, "cidrs", "CIDRs"}, {NULL, "fsGroupPolicy", "FSGroupPolicy"}, {NULL, "seLinuxMount", "SELinuxMount"}, {NULL, "ips", "IPs"},
    {"resource.k8s.io/v1/DeviceAttribute", "int", "IntValue"}, {"resource.k8s.io/v1/DeviceAttribute", "bool", "BoolValue"},
    {"resource.k8s.io/v1/DeviceAttribute", "string", "StringValue"}, {"resource.k8s.io/v1/DeviceAttribute", "version", "VersionValue"}, {NULL, "caBundle", "CABundle"},
};
#define CAPITALS "nfs iscsi rbd fc csi iqn tty grpc uid gid os ip cidr tls http cel url"

static const char *go_name(struct arena *a, const char *type, const char *json) {
    for (size_t i = 0; i < ARRAY_LEN(go_names); i++) {
        if (strcmp(go_names[i].json, json) == 0 && (go_names[i].type == NULL || (type && str_starts(type, go_names[i].type)))) return go_names[i].go;
    }
    char *s = arena_strdup(a, json);
    bool all = word_in(json, CAPITALS);
    for (size_t i = 0; s[i] && (all || i == 0); i++) s[i] = (char)(s[i] >= 'a' && s[i] <= 'z' ? s[i] - 32 : s[i]);
    return s;
}

/* Members of internal types that stand in another order, or elsewhere, than in the served version. */
static const struct { const char *type, *order; } orders[] = {
    {"core/v1/Volume", "name hostPath emptyDir gcePersistentDisk awsElasticBlockStore gitRepo secret nfs iscsi glusterfs persistentVolumeClaim rbd quobyte flexVolume cinder cephfs flocker downwardAPI fc azureFile configMap vsphereVolume azureDisk photonPersistentDisk projected portworxVolume scaleIO storageos csi ephemeral image"},
    {"core/v1/PodSpec", "volumes initContainers containers ephemeralContainers restartPolicy terminationGracePeriodSeconds activeDeadlineSeconds dnsPolicy nodeSelector serviceAccountName automountServiceAccountToken nodeName securityContext imagePullSecrets hostname subdomain setHostnameAsFQDN affinity schedulerName tolerations hostAliases priorityClassName priority preemptionPolicy dnsConfig readinessGates runtimeClassName overhead enableServiceLinks topologySpreadConstraints os schedulingGates resourceClaims resources hostnameOverride workloadRef"},
    {"core/v1/PodSecurityContext", "hostNetwork hostPID hostIPC shareProcessNamespace hostUsers seLinuxOptions windowsOptions runAsUser runAsGroup runAsNonRoot supplementalGroups supplementalGroupsPolicy fsGroup fsGroupChangePolicy sysctls seccompProfile appArmorProfile seLinuxChangePolicy"},
    {"core/v1/ServiceSpec", "type ports selector clusterIP clusterIPs ipFamilies ipFamilyPolicy externalName externalIPs loadBalancerIP sessionAffinity sessionAffinityConfig loadBalancerSourceRanges externalTrafficPolicy healthCheckNodePort publishNotReadyAddresses allocateLoadBalancerNodePorts loadBalancerClass internalTrafficPolicy trafficDistribution"},
    {"batch/v1/JobSpec", "parallelism completions podFailurePolicy successPolicy activeDeadlineSeconds backoffLimit backoffLimitPerIndex maxFailedIndexes selector manualSelector template ttlSecondsAfterFinished completionMode suspend podReplacementPolicy managedBy"},
    {"batch/v1/JobStatus", "conditions startTime completionTime active terminating ready succeeded failed completedIndexes failedIndexes uncountedTerminatedPods"},
    {"autoscaling/v2/ContainerResourceMetricSource", "name container target"},
    {"autoscaling/v2/ContainerResourceMetricStatus", "name container current"},
    {"storage.k8s.io/v1/CSIDriverSpec", "attachRequired fsGroupPolicy podInfoOnMount volumeLifecycleModes storageCapacity tokenRequests requiresRepublish seLinuxMount nodeAllocatableUpdatePeriodSeconds serviceAccountTokenInSecrets"},
    {"admissionregistration.k8s.io/v1/ValidatingAdmissionPolicySpec", "paramKind matchConstraints validations matchConditions failurePolicy auditAnnotations variables"},
};

static const char *order_of(const struct type *t) {
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) if (str_eq(orders[i].type, t->name)) return orders[i].order;
    return NULL;
}

static int by_key(const void *a, const void *b) { return strcmp(((const struct json_member *)a)->key, ((const struct json_member *)b)->key); }

static const struct json *go_value(struct arena *a, const struct field *f, const struct type *t, const struct json *v);

static const struct json *go_map(struct arena *a, const struct type *t, const struct json *v) {
    struct json_object out = {.arena = a};
    JSON_EACH_MEMBER(m, v) json_object_add(&out, m->key, go_value(a, NULL, t->element, &m->value));
    if (out.len) qsort(out.members, out.len, sizeof(*out.members), by_key);
    return json_object_done(&out);
}

static const struct json *go_list(struct arena *a, const struct type *t, const struct json *v) {
    struct json_array out = {.arena = a};
    JSON_EACH(item, v) json_array_add(&out, go_value(a, NULL, t->element, item));
    return json_array_done(&out);
}

/* Types of apimachinery have JSON names. */
static bool has_json_names(const struct type *t) { return t->name && str_starts(t->name, "meta/v1/"); }

static const struct json *go_value(struct arena *a, const struct field *f, const struct type *t, const struct json *v) {
    bool absent = v == NULL || v->type == JSON_NULL;
    switch (t->kind) {
    case TYPE_STRUCT:
        if (absent && f && f->pointer) return &json_null;
        return go_form_of(a, t, v, NULL);
    case TYPE_LIST: return absent ? &json_null : go_list(a, t, v);
    case TYPE_MAP: return absent ? &json_null : go_map(a, t, v);
    default: break;
    }
    if (!absent) return v;
    if (f && f->pointer) return &json_null;
    switch (t->kind) {
    case TYPE_STRING: return &json_empty_string;
    case TYPE_INT32: case TYPE_INT64: case TYPE_DOUBLE: case TYPE_INT_OR_STRING: return json_integer(a, 0);
    case TYPE_BOOL: return &json_false;
    case TYPE_QUANTITY: return json_string(a, "0");
    case TYPE_DURATION: return json_string(a, "0s");
    default: return &json_null;
    }
}

/* Host namespaces are part of the security context in upstream's internal PodSpec. */
static const struct json *move_host_fields(struct arena *a, const struct json *spec) {
    static const char *const moved[] = {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"};
    const struct json *context = json_member(spec, "securityContext");
    if (context == NULL) context = &json_empty_object;
    for (size_t i = 0; i < ARRAY_LEN(moved); i++)
        if (has(spec, moved[i])) context = json_with_member(a, context, moved[i], json_member(spec, moved[i]));
    return json_with_member(a, spec ? spec : &json_empty_object, "securityContext", context);
}

static void add_member(struct arena *a, struct json_object *out, const struct type *t, const struct json *v, const char *name) {
    const struct field *f = type_field(t, name);
    if (f == NULL && str_eq(t->name, "core/v1/PodSecurityContext")) f = type_field(type_find("core/v1/PodSpec"), name);
    if (f) json_object_add(out, go_name(a, t->name, name), go_value(a, f, f->type, json_member(v, name)));
}

const struct json *go_form_of(struct arena *a, const struct type *t, const struct json *v, const char *order) {
    struct json_object out = {.arena = a};
    if (has_json_names(t)) return v && v->type != JSON_NULL ? schema_written(a, t, v, WRITTEN_TO_SEND) : &json_empty_object;
    if (str_eq(t->name, "core/v1/PodSpec")) v = move_host_fields(a, v);
    if (order == NULL) order = order_of(t);
    if (order == NULL) {
        for (size_t i = 0; i < t->field_count; i++) add_member(a, &out, t, v, t->fields[i].name);
        return json_object_done(&out);
    }
    char **names = str_split(a, order, ' ', NULL);
    for (size_t i = 0; names[i]; i++) add_member(a, &out, t, v, names[i]);
    return json_object_done(&out);
}

const struct json *go_form(struct arena *a, const char *type, const struct json *v) {
    const struct type *t = type_find(type);
    if (v == NULL || v->type == JSON_NULL || t == NULL) return v ? v : &json_null;
    if (json_is(v, JSON_ARRAY)) {
        struct json_array out = {.arena = a};
        JSON_EACH(item, v) json_array_add(&out, go_form_of(a, t, item, NULL));
        return json_array_done(&out);
    }
    return go_form_of(a, t, v, NULL);
}

/* ---- unified differences: Python's difflib, which upstream uses in Go; three lines of context ---- */

struct lines {
    char **line;
    size_t len;
};
struct block { size_t a, b, len; };
struct differ {
    struct arena *arena;
    struct lines a, b;
    bool *popular; /* lines of b that are too frequent to begin a match */
    struct block *blocks;
    size_t count, cap;
};

static struct lines lines_of(struct arena *a, const struct json *v) {
    cleanup_buf struct buf b = {0};
    struct lines out;
    json_encode_pretty(&b, v, " ");
    out.line = str_split(a, buf_str(&b), '\n', &out.len);
    return out;
}

static void find_popular(struct differ *d) {
    d->popular = arena_calloc(d->arena, d->b.len + 1, sizeof(bool));
    if (d->b.len < 200) return;
    for (size_t i = 0; i < d->b.len; i++) {
        size_t n = 0;
        for (size_t k = 0; k < d->b.len; k++) n += strcmp(d->b.line[i], d->b.line[k]) == 0;
        d->popular[i] = n > d->b.len / 100 + 1;
    }
}

static struct block longest(struct differ *d, size_t alo, size_t ahi, size_t blo, size_t bhi) {
    struct block best = {alo, blo, 0};
    size_t *lengths = arena_calloc(d->arena, d->b.len + 1, sizeof(size_t)), *next = arena_calloc(d->arena, d->b.len + 1, sizeof(size_t));
    for (size_t i = alo; i < ahi; i++) {
        memset(next, 0, (d->b.len + 1) * sizeof(*next));
        for (size_t j = blo; j < bhi; j++) {
            if (d->popular[j] || strcmp(d->a.line[i], d->b.line[j]) != 0) continue;
            size_t n = next[j + 1] = lengths[j] + 1;
            if (n > best.len) best = (struct block){i + 1 - n, j + 1 - n, n};
        }
        size_t *swap = lengths;
        lengths = next;
        next = swap;
    }
    while (best.a > alo && best.b > blo && strcmp(d->a.line[best.a - 1], d->b.line[best.b - 1]) == 0) best = (struct block){best.a - 1, best.b - 1, best.len + 1};
    while (best.a + best.len < ahi && best.b + best.len < bhi && strcmp(d->a.line[best.a + best.len], d->b.line[best.b + best.len]) == 0) best.len++;
    return best;
}

static void add_block(struct differ *d, struct block m) {
    struct block *last = d->count ? &d->blocks[d->count - 1] : NULL;
    if (last && last->a + last->len == m.a && last->b + last->len == m.b) {
        last->len += m.len;
        return;
    }
    if (d->count == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 16;
        d->blocks = arena_grow(d->arena, d->blocks, d->cap * sizeof(*d->blocks), cap * sizeof(*d->blocks));
        d->cap = cap;
    }
    d->blocks[d->count++] = m;
}

static void match(struct differ *d, size_t alo, size_t ahi, size_t blo, size_t bhi) {
    struct block m = longest(d, alo, ahi, blo, bhi);
    if (m.len == 0) return;
    if (alo < m.a && blo < m.b) match(d, alo, m.a, blo, m.b);
    add_block(d, m);
    if (m.a + m.len < ahi && m.b + m.len < bhi) match(d, m.a + m.len, ahi, m.b + m.len, bhi);
}

static void print_range(struct buf *out, size_t start, size_t len) {
    if (len == 1) buf_printf(out, "%zu", start + 1);
    else buf_printf(out, "%zu,%zu", start + (len > 0), len);
}

/* One hunk: everything from block `first` to block `last`, whose equal lines lie outside but for the context. */
static void print_hunk(struct differ *d, struct buf *out, size_t first, size_t last) {
    const struct block *x = &d->blocks[first], *y = &d->blocks[last];
    size_t before = MIN(x->len, 3), after = MIN(y->len, 3);
    size_t a = x->a + x->len - before, b = x->b + x->len - before, a_end = y->a + after, b_end = y->b + after;
    buf_adds(out, "@@ -");
    print_range(out, a, a_end - a);
    buf_adds(out, " +");
    print_range(out, b, b_end - b);
    buf_adds(out, " @@\n");
    for (size_t i = first + 1; i <= last; i++) {
        const struct block *m = &d->blocks[i], *prev = &d->blocks[i - 1];
        for (; a < prev->a + prev->len; a++, b++) buf_printf(out, " %s\n", d->a.line[a]);
        for (; a < m->a; a++) buf_printf(out, "-%s\n", d->a.line[a]);
        for (; b < m->b; b++) buf_printf(out, "+%s\n", d->b.line[b]);
    }
    for (; a < a_end; a++) buf_printf(out, " %s\n", d->a.line[a]);
}

const char *go_diff(struct arena *arena, const struct json *old, const struct json *now) {
    struct differ d = {.arena = arena, .a = lines_of(arena, old), .b = lines_of(arena, now)};
    cleanup_buf struct buf out = {0};
    find_popular(&d);
    add_block(&d, (struct block){0, 0, 0});
    match(&d, 0, d.a.len, 0, d.b.len);
    add_block(&d, (struct block){d.a.len, d.b.len, 0});
    for (size_t first = 0; first + 1 < d.count;) {
        size_t last = first + 1;
        while (last + 1 < d.count && d.blocks[last].len <= 6) last++;
        print_hunk(&d, &out, first, last);
        first = last;
    }
    return arena_strndup(arena, buf_str(&out), out.len);
}

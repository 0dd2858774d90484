/* Requests and limits, and what they mean to the kernel (upstream's cm/helpers_linux.go and qos/policy.go). */
#include "node/cgroups.h"
#include "node/status.h"
#include <stdio.h>
#include <unistd.h>

int64_t cpu_shares(int64_t milli_cpu) {
    if (milli_cpu == 0) return MIN_SHARES;
    return MIN(MAX(milli_cpu * 1024 / 1000, MIN_SHARES), 262144);
}

int64_t cpu_quota(int64_t milli_cpu) { return milli_cpu == 0 ? 0 : MAX(milli_cpu * CPU_PERIOD / 1000, 1000); }

static const struct json *amount(const struct json *holder, const char *kind, const char *resource) {
    return json_member(json_member(json_member(holder, "resources"), kind), resource);
}

struct quantity container_limit(const struct json *container, const char *resource) {
    return quantity_of(amount(container, "limits", resource));
}

struct quantity container_request(const struct json *container, const char *resource) {
    const struct json *v = amount(container, "requests", resource);
    return v ? quantity_of(v) : container_limit(container, resource);
}

static void take_max(struct quantity *a, const struct quantity *b) {
    if (quantity_compare(b, a) > 0) *a = *b;
}

/* KEP-753: sidecars count with everything that runs after they started. */
static struct quantity pod_sum(const struct json *pod, const char *resource,
                               struct quantity (*of)(const struct json *, const char *)) {
    struct quantity sum = {0}, sidecars = {0}, init = {0};
    JSON_EACH(c, json_get(pod, "spec.containers")) {
        struct quantity q = of(c, resource);
        quantity_add(&sum, &q);
    }
    JSON_EACH(c, json_get(pod, "spec.initContainers")) {
        struct quantity q = of(c, resource), now = sidecars;
        quantity_add(&now, &q);
        if (container_is_sidecar(c)) sidecars = now;
        take_max(&init, &now);
    }
    quantity_add(&sum, &sidecars);
    take_max(&sum, &init);
    return sum;
}

struct quantity pod_request(const struct json *pod, const char *resource) {
    const struct json *spec = json_member(pod, "spec");
    const struct json *own = amount(spec, "requests", resource);
    struct quantity sum = own ? quantity_of(own) : pod_sum(pod, resource, container_request);
    struct quantity overhead = quantity_of(json_member(json_member(spec, "overhead"), resource));
    quantity_add(&sum, &overhead);
    return sum;
}

struct quantity pod_limit(const struct json *pod, const char *resource, bool *all_limited) {
    const struct json *spec = json_member(pod, "spec");
    const struct json *own = amount(spec, "limits", resource);
    struct quantity sum = own ? quantity_of(own) : pod_sum(pod, resource, container_limit);
    *all_limited = true;
    if (!own) {
        JSON_EACH(c, json_member(spec, "containers")) *all_limited &= container_limit(c, resource).value > 0;
        JSON_EACH(c, json_member(spec, "initContainers"))
            if (container_is_sidecar(c)) *all_limited &= container_limit(c, resource).value > 0;
    }
    struct quantity overhead = quantity_of(json_member(json_member(spec, "overhead"), resource));
    if (sum.value) quantity_add(&sum, &overhead);
    return sum;
}

static int own_score(void) {
    cleanup_buf struct buf text = {0};
    int64_t score = 0;
    struct error *e = file_read("/proc/self/oom_score_adj", 32, &text);
    if (!e && text.len && text.data[text.len - 1] == '\n') text.data[text.len - 1] = '\0';
    if (!e) (void)!str_to_int64(text.data, &score);
    error_free(e);
    return (int)score;
}

static int64_t machine_memory(void) { return (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE); }

static int wanted_score(const struct json *pod, const struct json *container) {
    const char *qos = pod_qos(pod);
    if (json_int(pod, "spec.priority", 0) >= 2000000000 || str_eq(qos, "Guaranteed")) return -997;
    if (str_eq(qos, "BestEffort")) return 1000;
    struct quantity request = container_request(container, "memory");
    int64_t score = 1000 - 1000 * quantity_value(&request) / MAX(machine_memory(), 1);
    if (score < 3) return 3;
    return score == 1000 ? 999 : (int)score;
}

/* Lowering the score below the agent's own needs CAP_SYS_RESOURCE: without it the runtime would fail. */
int oom_score_adj(const struct json *pod, const struct json *container) {
    int score = wanted_score(pod, container), own = own_score();
    static int may_lower = -1;
    if (may_lower < 0) {
        cleanup_buf struct buf text = {0};
        struct error *e = file_read("/proc/self/status", 1 << 16, &text);
        const char *line = e ? NULL : strstr(text.data, "CapEff:");
        may_lower = line && (strtoull(line + 7, NULL, 16) >> 24 & 1);
        error_free(e);
    }
    return may_lower ? score : MAX(score, own);
}

static const struct json *hugepages(struct arena *a, const struct json *container) {
    struct json_array out = {.arena = a};
    JSON_EACH_MEMBER(m, json_get(container, "resources.limits")) {
        struct quantity size, q = quantity_of(&m->value);
        if (!str_starts(m->key, "hugepages-") || !quantity_parse(m->key + 10, &size)) continue;
        int64_t bytes = quantity_value(&size);
        const char *name = bytes >= 1 << 30 ? arena_printf(a, "%lldGB", (long long)(bytes >> 30))
                         : bytes >= 1 << 20 ? arena_printf(a, "%lldMB", (long long)(bytes >> 20))
                                            : arena_printf(a, "%lldKB", (long long)(bytes >> 10));
        json_array_add(&out, json_make(a, "{'page_size':%s,'limit':%ld}", name, quantity_value(&q)));
    }
    return out.len ? json_array_done(&out) : NULL;
}

const struct json *linux_resources(struct arena *a, const struct json *pod, const struct json *container) {
    struct quantity request = container_request(container, "cpu"), limit = container_limit(container, "cpu");
    struct quantity memory = container_limit(container, "memory");
    if (memory.value == 0) memory = container_limit(json_member(pod, "spec"), "memory"); /* the pod's own limit */
    return json_make(a, "{'cpu_period':%d,'cpu_quota':%ld,'cpu_shares':%ld,'memory_limit_in_bytes':%ld,'oom_score_adj':%d,"
                        "'hugepage_limits':%v}",
                     CPU_PERIOD, cpu_quota(quantity_milli_value(&limit)), cpu_shares(quantity_milli_value(&request)),
                     quantity_value(&memory), oom_score_adj(pod, container), hugepages(a, container));
}

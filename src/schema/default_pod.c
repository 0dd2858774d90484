/* Defaults of pods: pull policies, host ports, requests from limits, fields that exist twice for old clients. */
#include "base/str.h"
#include "schema/default.h"
#include "schema/default_image.h"

void default_container(struct default_object *o);
void default_volume(struct default_object *o);
void default_pod(struct default_object *o);
void default_pod_spec(struct default_object *o);
void default_pod_status(struct default_object *o);

static const char *pull_policy(const struct json *image) {
    return image_is_latest(json_str_or(image, NULL, "")) ? "Always" : "IfNotPresent";
}

void default_container(struct default_object *o) {
    if (!default_get(o, "imagePullPolicy")) default_set_str(o, "imagePullPolicy", pull_policy(default_get(o, "image")));
}

void default_volume(struct default_object *o) {
    bool any = false;
    for (size_t i = 0; i < o->type->field_count; i++)
        if (o->values[i] && o->type->fields[i].embedded) any = true;
    if (!any) default_set(o, "emptyDir", &json_empty_object);
    const struct json *image = default_get(o, "image");
    if (image && !json_str(image, "pullPolicy"))
        default_set(
            o, "image",
            json_with(o->arena, image, "pullPolicy", json_string(o->arena, pull_policy(json_member(image, "reference")))));
}

/* The two names of the service account mean the same. A negative grace becomes a second, as in upstream's conversion. */
void default_pod_spec(struct default_object *o) {
    if (json_int(default_get(o, "terminationGracePeriodSeconds"), NULL, 0) < 0)
        default_set(o, "terminationGracePeriodSeconds", json_integer(o->arena, 1));
    const struct json *name = default_get(o, "serviceAccountName"), *old = default_get(o, "serviceAccount");
    if (!name && old) default_set(o, "serviceAccountName", name = old);
    if (name && !json_str_is(old, NULL, name->s)) default_set(o, "serviceAccount", name);
}

/* podIP is the first of podIPs; where they differ podIP wins. */
void default_pod_status(struct default_object *o) {
    const struct json *ip = default_get(o, "podIP"), *ips = default_get(o, "podIPs");
    const char *first = json_str(json_at(ips, 0), "ip");
    if (ip && !str_eq(first, ip->s)) default_set(o, "podIPs", json_make(o->arena, "[{'ip':%v}]", ip));
    if (!ip && first && *first) default_set_str(o, "podIP", first);
}

/* ---- the whole pod ---- */

/* Applies `change` to every element of spec's list. */
static const struct json *each_container(struct arena *a, const struct json *spec, const char *list,
                                         const struct json *(*change)(struct arena *, const struct json *)) {
    const struct json *containers = json_member(spec, list), *out = containers;
    for (size_t i = 0; i < json_len(containers); i++) {
        const struct json *c = change(a, json_at(containers, i));
        if (c != json_at(containers, i)) out = json_with_item(a, out, i, c);
    }
    return out == containers ? spec : json_with_member(a, spec, list, out);
}

static const struct json *requests_from_limits(struct arena *a, const struct json *container) {
    const struct json *requests = json_get(container, "resources.requests"), *out = requests;
    JSON_EACH_MEMBER(limit, json_get(container, "resources.limits"))
    if (!json_member(requests, limit->key)) out = json_with_member(a, out, limit->key, &limit->value);
    return out == requests ? container : json_with(a, container, "resources.requests", out);
}

static const struct json *host_ports(struct arena *a, const struct json *container) {
    const struct json *ports = json_member(container, "ports"), *out = ports;
    for (size_t i = 0; i < json_len(ports); i++) {
        const struct json *port = json_at(ports, i);
        if (json_int(port, "hostPort", 0) == 0)
            out = json_with_item(a, out, i, json_with(a, port, "hostPort", json_member(port, "containerPort")));
    }
    return out == ports ? container : json_with_member(a, container, "ports", out);
}

static void maximum(struct quantity *q, const struct quantity *other) {
    if (quantity_compare(q, other) < 0) *q = *other;
}

/* What the pod's containers need of a resource together: the running ones and sidecars at once, or the largest step of
 * the initialisation. `list` is "requests" or "limits". */
static struct quantity aggregate(const struct json *spec, const char *list, const char *resource) {
    struct quantity sum = {0}, sidecars = {0}, init = {0};
    JSON_EACH(c, json_member(spec, "containers")) {
        struct quantity q = quantity_of(json_member(json_member(json_member(c, "resources"), list), resource));
        quantity_add(&sum, &q);
    }
    JSON_EACH(c, json_member(spec, "initContainers")) {
        struct quantity q = quantity_of(json_member(json_member(json_member(c, "resources"), list), resource));
        if (json_str_is(c, "restartPolicy", "Always")) {
            quantity_add(&sum, &q);
            quantity_add(&sidecars, &q);
            maximum(&init, &sidecars);
        } else {
            quantity_add(&q, &sidecars);
            maximum(&init, &q);
        }
    }
    maximum(&sum, &init);
    return sum;
}

static bool any_container_has(const struct json *spec, const char *containers, const char *list, const char *resource) {
    JSON_EACH(c, json_member(spec, containers))
    if (json_member(json_member(json_member(c, "resources"), list), resource)) return true;
    return false;
}

/* Sets resources.LIST.RESOURCE of the pod to what its containers have together, unless it is there. */
static const struct json *add_aggregate(struct arena *a, const struct json *spec, const char *list, const char *resource) {
    const struct json *own = json_member(json_member(spec, "resources"), list);
    if (json_member(own, resource)) return spec;
    if (!any_container_has(spec, "containers", list, resource) && !any_container_has(spec, "initContainers", list, resource))
        return spec;
    struct quantity q = aggregate(spec, list, resource);
    own = json_with_member(a, own, resource, json_string(a, quantity_format(a, &q)));
    return json_with_member(a, spec, "resources", json_with_member(a, json_member(spec, "resources"), list, own));
}

static const struct json *huge_page_limits(struct arena *a, const struct json *spec, const struct json *containers) {
    JSON_EACH(c, containers)
    JSON_EACH_MEMBER(m, json_get(c, "resources.limits"))
    if (str_starts(m->key, "hugepages-") && !json_member(json_get(spec, "resources.requests"), m->key))
        spec = add_aggregate(a, spec, "limits", m->key);
    return spec;
}

static bool pod_level(const char *resource) {
    return str_eq(resource, "cpu") || str_eq(resource, "memory") || str_starts(resource, "hugepages-");
}

static const struct json *pod_resources(struct arena *a, const struct json *spec) {
    const struct json *resources = json_member(spec, "resources");
    if (json_len(json_member(resources, "limits")) + json_len(json_member(resources, "requests")) == 0) return spec;
    spec = huge_page_limits(a, spec, json_member(spec, "containers"));
    spec = huge_page_limits(a, spec, json_member(spec, "initContainers"));
    const struct json *limits = json_get(spec, "resources.limits");
    if (json_len(limits) == 0) return spec;
    spec = add_aggregate(a, spec, "requests", "cpu");
    spec = add_aggregate(a, spec, "requests", "memory");
    const struct json *requests = json_get(spec, "resources.requests"), *out = requests;
    JSON_EACH_MEMBER(m, limits)
    if (pod_level(m->key) && !json_member(requests, m->key)) out = json_with_member(a, out, m->key, &m->value);
    return out == requests ? spec : json_with(a, spec, "resources.requests", out);
}

void default_pod(struct default_object *o) {
    const struct json *before = default_get(o, "spec"), *spec = before ? before : &json_empty_object;
    spec = each_container(o->arena, spec, "containers", requests_from_limits);
    spec = each_container(o->arena, spec, "initContainers", requests_from_limits);
    spec = pod_resources(o->arena, spec);
    if (!json_is(json_member(spec, "enableServiceLinks"), JSON_BOOL))
        spec = json_with(o->arena, spec, "enableServiceLinks", &json_true);
    if (json_bool(spec, "hostNetwork", false)) {
        spec = each_container(o->arena, spec, "containers", host_ports);
        spec = each_container(o->arena, spec, "initContainers", host_ports);
    }
    if (spec != before) default_set(o, "spec", spec);
}

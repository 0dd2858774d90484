/* Conditional defaults of the other groups. */
#include "base/clock.h"
#include "schema/default.h"
#include <ctype.h>

void default_rolling_update(struct default_object *o);
void default_stateful_set_spec(struct default_object *o);
void default_stateful_set_strategy(struct default_object *o);
void default_job(struct default_object *o);
void default_autoscaler_spec(struct default_object *o);
void default_network_policy_spec(struct default_object *o);
void default_rbac_subject(struct default_object *o);
void default_device_request(struct default_object *o);
void default_device_taint(struct default_object *o);
void default_custom_resource_definition(struct default_object *o);
void default_custom_resource_definition_spec(struct default_object *o);

/* ---- apps ---- */

/* Deployments and daemon sets; what stands in rollingUpdate are constants. */
void default_rolling_update(struct default_object *o) {
    if (default_is(o, "type", "RollingUpdate") && !default_get(o, "rollingUpdate"))
        default_set(o, "rollingUpdate", &json_empty_object);
}

/* rollingUpdate is made only together with the type. */
void default_stateful_set_strategy(struct default_object *o) {
    if (default_get(o, "type")) return;
    default_set_str(o, "type", "RollingUpdate");
    default_rolling_update(o);
}

void default_stateful_set_spec(struct default_object *o) {
    const struct json *claims = default_get(o, "volumeClaimTemplates"), *out = claims;
    for (size_t i = 0; i < json_len(claims); i++) {
        const struct json *claim = json_at(claims, i);
        if (json_str_is(claim, "kind", "PersistentVolumeClaim") && json_str_is(claim, "apiVersion", "v1")) continue;
        claim = json_with(o->arena, claim, "kind", json_string(o->arena, "PersistentVolumeClaim"));
        out = json_with_item(o->arena, out, i, json_with(o->arena, claim, "apiVersion", json_string(o->arena, "v1")));
    }
    if (out != claims) default_set(o, "volumeClaimTemplates", out);
}

/* ---- batch ---- */

static const struct json *set_absent(struct arena *a, const struct json *spec, const char *name, const struct json *value) {
    const struct json *v = json_member(spec, name);
    return v && v->type != JSON_NULL ? spec : json_with(a, spec, name, value);
}

/* Not part of JobSpec's table: a cron job's template keeps its gaps. */
void default_job(struct default_object *o) {
    struct arena *a = o->arena;
    const struct json *before = default_get(o, "spec"), *spec = before ? before : &json_empty_object;
    if (!json_member(spec, "parallelism")) spec = set_absent(a, spec, "completions", json_integer(a, 1));
    spec = set_absent(a, spec, "parallelism", json_integer(a, 1));
    spec = set_absent(a, spec, "backoffLimit", json_integer(a, json_member(spec, "backoffLimitPerIndex") ? INT32_MAX : 6));
    spec = set_absent(a, spec, "completionMode", json_string(a, "NonIndexed"));
    spec = set_absent(a, spec, "suspend", &json_false);
    spec = set_absent(a, spec, "podReplacementPolicy",
                      json_string(a, json_member(spec, "podFailurePolicy") ? "Failed" : "TerminatingOrFailed"));
    spec = set_absent(a, spec, "manualSelector", &json_false);
    if (spec != before) default_set(o, "spec", spec);
    const struct json *labels = json_get(spec, "template.metadata.labels");
    if (json_len(labels) > 0 && json_len(json_get(default_get(o, "metadata"), "labels")) == 0)
        default_set(o, "metadata", json_with(a, default_get(o, "metadata"), "labels", labels));
}

/* ---- autoscaling/v2 ---- */

/* A direction's rules: what is given over what is usual. */
static const struct json *scaling_rules(struct arena *a, const struct json *given, const char *usual) {
    const struct json *out = json_make(a, usual);
    JSON_EACH_MEMBER(m, given)
    if (m->value.type != JSON_NULL) out = json_with_member(a, out, m->key, &m->value);
    return out;
}

void default_autoscaler_spec(struct default_object *o) {
    if (json_len(default_get(o, "metrics")) == 0)
        default_set(o, "metrics",
                    json_make(o->arena, "[{'type':'Resource','resource':{'name':'cpu','target':"
                                        "{'type':'Utilization','averageUtilization':80}}}]"));
    const struct json *behavior = default_get(o, "behavior");
    if (!behavior) return;
    const struct json *up = scaling_rules(
        o->arena, json_member(behavior, "scaleUp"),
        "{'stabilizationWindowSeconds':0,'selectPolicy':'Max','policies':[{'type':'Pods','value':4,'periodSeconds':15},"
        "{'type':'Percent','value':100,'periodSeconds':15}]}");
    const struct json *down =
        scaling_rules(o->arena, json_member(behavior, "scaleDown"),
                      "{'selectPolicy':'Max','policies':[{'type':'Percent','value':100,'periodSeconds':15}]}");
    default_set(o, "behavior", json_make(o->arena, "{'scaleUp':%v,'scaleDown':%v}", up, down));
}

/* ---- networking, rbac, resource ---- */

void default_network_policy_spec(struct default_object *o) {
    if (json_len(default_get(o, "policyTypes")) > 0) return;
    bool egress = json_len(default_get(o, "egress")) > 0;
    default_set(o, "policyTypes", json_make(o->arena, egress ? "['Ingress','Egress']" : "['Ingress']"));
}

void default_rbac_subject(struct default_object *o) {
    bool person = default_is(o, "kind", "User") || default_is(o, "kind", "Group");
    if (person && default_blank(default_get(o, "apiGroup"))) default_set_str(o, "apiGroup", "rbac.authorization.k8s.io");
}

void default_device_request(struct default_object *o) {
    if (default_is(o, "allocationMode", "ExactCount") && json_int(default_get(o, "count"), NULL, 0) == 0)
        default_set(o, "count", json_integer(o->arena, 1));
}

void default_device_taint(struct default_object *o) {
    char now[TIME_STRING_MAX];
    if (!default_get(o, "timeAdded")) default_set_str(o, "timeAdded", time_format(now, clock_wall(&clock_real)));
}

/* ---- apiextensions ---- */

void default_custom_resource_definition_spec(struct default_object *o) {
    const struct json *names = default_get(o, "names"), *before = names;
    const char *kind = json_str_or(names, "kind", "");
    if (default_blank(json_member(names, "singular")) && *kind) {
        char *lower = arena_strdup(o->arena, kind);
        for (char *p = lower; *p; p++) *p = (char)tolower((unsigned char)*p);
        names = json_with(o->arena, names, "singular", json_string(o->arena, lower));
    }
    if (default_blank(json_member(names, "listKind")) && *kind)
        names = json_with(o->arena, names, "listKind", json_strf(o->arena, "%sList", kind));
    if (names != before) default_set(o, "names", names);
    if (!default_get(o, "conversion")) default_set(o, "conversion", json_make(o->arena, "{'strategy':'None'}"));
}

/* The first version that is stored is the one that may already be in the store. */
void default_custom_resource_definition(struct default_object *o) {
    const struct json *status = default_get(o, "status");
    if (json_len(json_member(status, "storedVersions")) > 0) return;
    JSON_EACH(version, json_member(default_get(o, "spec"), "versions")) {
        if (!json_bool(version, "storage", false)) continue;
        default_set(o, "status",
                    json_with(o->arena, status, "storedVersions", json_make(o->arena, "[%v]", json_member(version, "name"))));
        return;
    }
}

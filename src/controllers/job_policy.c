#include "controllers/job.h"
#include "base/str.h"

static bool has_value(const struct json *values, int64_t v) {
    JSON_EACH(each, values) {
        if (json_int(each, NULL, -1) == v) return true;
    }
    return false;
}

/* The first container that ended with an exit code (other than 0) as required. */
static const struct json *match_exit_code(const struct json *statuses, const struct json *wanted) {
    JSON_EACH(s, statuses) {
        int64_t code = json_int(s, "state.terminated.exitCode", 0);
        const char *name = json_str(wanted, "containerName");
        if (code == 0 || (name && !json_str_is(s, "name", name))) continue;
        if (has_value(json_get(wanted, "values"), code) == json_str_is(wanted, "operator", "In")) return s;
    }
    return NULL;
}

static const struct json *match_condition(const struct json *pod, const struct json *patterns) {
    JSON_EACH(p, patterns) {
        const struct json *c = condition_find(pod, json_str_or(p, "type", ""));
        if (c && json_str_is(c, "status", json_str_or(p, "status", "True"))) return c;
    }
    return NULL;
}

static const char *match_rule(const struct job_run *j, const struct json *pod, const struct json *rule, size_t at) {
    const struct json *codes = json_get(rule, "onExitCodes"), *s = NULL, *c = NULL;
    const char *ns = doc_namespace(j->job), *name = json_str(pod, "metadata.name"), *action = json_str_or(rule, "action", "");
    if (codes) {
        s = match_exit_code(json_get(pod, "status.containerStatuses"), codes);
        if (!s) s = match_exit_code(json_get(pod, "status.initContainerStatuses"), codes);
    } else c = match_condition(pod, json_get(rule, "onPodConditions"));
    if (s)
        return arena_printf(j->arena, "Container %s for pod %s/%s failed with exit code %ld matching %s rule at index %zu", json_str(s, "name"), ns,
                            name, json_int(s, "state.terminated.exitCode", 0), action, at);
    if (c) return arena_printf(j->arena, "Pod %s/%s has condition %s matching %s rule at index %zu", ns, name, json_str(c, "type"), action, at);
    return NULL;
}

enum job_action job_failure_action(const struct job_run *j, const struct json *pod, const char **message) {
    static const struct { const char *name; enum job_action action; } actions[] = {
        {"Count", JOB_COUNT}, {"Ignore", JOB_IGNORE}, {"FailIndex", JOB_FAIL_INDEX}, {"FailJob", JOB_FAIL_JOB}};
    size_t at = 0;
    JSON_EACH(rule, json_get(j->o, "spec.podFailurePolicy.rules")) {
        const char *text = match_rule(j, pod, rule, at++);
        for (size_t i = 0; text && i < ARRAY_LEN(actions); i++) {
            if (!json_str_is(rule, "action", actions[i].name)) continue;
            if (message) *message = text;
            return actions[i].action;
        }
    }
    return JOB_COUNT;
}

static bool rule_met(const struct job_run *j, const struct json *rule) {
    const char *wanted = json_str(rule, "succeededIndexes");
    struct indexes required = indexes_parse(j->arena, wanted, j->completions);
    int64_t have = wanted ? indexes_common(required, j->succeeded_indexes) : indexes_total(j->succeeded_indexes);
    return have >= json_int(rule, "succeededCount", wanted ? indexes_total(required) : INT64_MAX);
}

const char *job_success_policy(const struct job_run *j) {
    size_t at = 0;
    JSON_EACH(rule, json_get(j->o, "spec.successPolicy.rules")) {
        if (j->succeeded_indexes.len && rule_met(j, rule)) return arena_printf(j->arena, "Matched rules at index %zu", at);
        at++;
    }
    return NULL;
}

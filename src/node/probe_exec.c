#include "node/probes.h"

static const char *join(struct arena *a, const struct json *command) {
    const char *out = "";
    JSON_EACH(s, command) out = arena_printf(a, "%s%s%s", out, *out ? " " : "", json_str_or(s, NULL, ""));
    return out;
}

enum probe_result probe_exec(const struct probe_target *t, struct arena *a, const char **output) {
    char text[TIME_STRING_MAX];
    const struct json *answer, *command = json_get(t->spec, "exec.command");
    struct error *e = cri_call(t->node->cri, CRI_EXEC_SYNC, a,
                               json_make(a, "{'container_id':%s,'cmd':%v,'timeout':%ld}", t->container_id, command, t->timeout / NSEC_PER_SEC),
                               t->timeout + SECONDS(10), &answer);
    if (error_is(e, "DeadlineExceeded")) {
        *output = arena_printf(a, "command timed out: \"%s\" timed out after %s", join(a, command), duration_format(text, t->timeout));
        error_free(e);
        return PROBE_FAILED;
    }
    if (e) {
        *output = arena_strdup(a, e->message);
        error_free(e);
        return PROBE_UNKNOWN;
    }
    *output = arena_printf(a, "%.10240s", arena_printf(a, "%s%s", json_str_or(answer, "stdout", ""), json_str_or(answer, "stderr", "")));
    return json_int(answer, "exit_code", 0) == 0 ? PROBE_SUCCEEDED : PROBE_FAILED;
}

#include "node/http_action.h"
#include "node/probes.h"

enum probe_result probe_http(const struct probe_target *t, struct arena *a, const char **output) {
    struct http_answer answer;
    struct error *e = http_action(t->node, a, t->container, json_member(t->spec, "httpGet"), t->pod_ip, "kube-probe/1.35", t->timeout, &answer);
    if (e) {
        *output = arena_strdup(a, e->message);
        error_free(e);
        return PROBE_FAILED;
    }
    if (answer.status >= 200 && answer.status < 400) return PROBE_SUCCEEDED;
    *output = arena_printf(a, "HTTP probe failed with statuscode: %d", answer.status);
    return PROBE_FAILED;
}

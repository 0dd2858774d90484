/* grpc.health.v1.Health/Check. */
#include "net/grpc.h"
#include "node/probes.h"

static const struct proto_field request_fields[] = {{"service", 1, PROTO_STRING, PROTO_SINGLE}};
static const struct proto_field answer_fields[] = {{"status", 1, PROTO_INT32, PROTO_SINGLE}};
static const struct proto_message request = {"HealthCheckRequest", request_fields, 1}, answer = {"HealthCheckResponse", answer_fields, 1};
static const struct proto_method check = {"/grpc.health.v1.Health/Check", &request, &answer};
static const char *const statuses[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};

enum probe_result probe_grpc(const struct probe_target *t, struct arena *a, const char **output) {
    const struct json *spec = json_member(t->spec, "grpc"), *reply = NULL;
    int port = (int)json_int(spec, "port", 0);
    struct net_target to = {.host = t->pod_ip, .port = port};
    struct grpc_channel *c = grpc_open(&to);
    struct error *e = grpc_call(c, &check, a, json_make(a, "{'service':%s}", json_str(spec, "service")), t->timeout, &reply);
    grpc_close(c);
    int64_t status = json_int(reply, "status", 0);
    if (!e && status == 1) return PROBE_SUCCEEDED;
    if (error_is(e, "Unimplemented")) *output = arena_printf(a, "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): %s", e->message);
    else if (error_is(e, "DeadlineExceeded")) *output = "timeout: health rpc did not complete within the timeout";
    else if (error_is(e, "Unavailable")) *output = arena_printf(a, "timeout: failed to connect service \"%s:%d\" within the timeout: %s", t->pod_ip, port, grpc_description(e));
    else if (e) *output = arena_printf(a, "error: health rpc probe failed: %s", e->message);
    else *output = arena_printf(a, "service unhealthy (responded with \"%s\")", status >= 0 && status < 4 ? statuses[status] : "UNKNOWN");
    error_free(e);
    return PROBE_FAILED;
}

/* The container runtime: CRI v1 (RuntimeService and ImageService) over gRPC on a unix socket.
 *
 * Requests and answers are JSON values with the CRI's own field names (api/cri.json has them all):
 *
 *     const struct json *answer;
 *     TRY(cri_call(cri, CRI_RUN_POD_SANDBOX, &arena,
 *                  json_make(&arena, "{'config':{'metadata':{'name':%s,'uid':%s,'namespace':%s}}}", name, uid, ns),
 *                  SECONDS(240), &answer));
 *     const char *id = json_str(answer, "pod_sandbox_id");
 *
 * Values: every integer is an int64; `bytes` (ExecSync's stdout and stderr) are strings of any bytes; an enum is an
 * int in answers (constants below in the generated table), in requests an int or the value's name ('NODE',
 * 'PROPAGATION_PRIVATE', 'SIGTERM'). As everywhere in proto3 a zero, empty string, list or map is absent in an answer:
 * json_int(status, "state", 0) and json_str_or(…, "") read it right. */
#pragma once
#include "base/clock.h"
#include "node/cri_table.h" /* generated: enum cri_method { CRI_VERSION, CRI_RUN_POD_SANDBOX, … }, enum values CRI_CONTAINER_RUNNING, … */
#include "json/json.h"

struct cri;
/* `endpoint`: "unix:///run/containerd/containerd.sock" or a plain path. Connects at the first call, and again (with
 * back-off) after the runtime went away; calls meanwhile fail with Unavailable. */
struct cri *cri_new(const char *endpoint);
/* Ends running calls with Canceled. No other thread may be in a call that starts later. */
void cri_close(struct cri *c);

/* Blocks; any thread but an event loop's. `request` NULL is an empty one. `timeout` in ns, 0: two minutes (kubelet's
 * --runtime-request-timeout). `answer` lives in `a`; it may be NULL. An error of the runtime has the gRPC code's name as
 * reason (error_is(e, "NotFound"), "DeadlineExceeded", "Unavailable", …), code 0, and reads as Go's: "rpc error: code =
 * NotFound desc = …"; cri_description() is the part behind "desc = ". */
MUST_CHECK struct error *cri_call(struct cri *c, enum cri_method method, struct arena *a, const struct json *request,
                                  int64_t timeout, const struct json **answer);
const char *cri_description(const struct error *e);

/* GetContainerEvents, again and again: reopened with back-off whenever it ends. `event` gets each
 * ContainerEventResponse (valid during the call); `restarted` is called whenever a stream has been (re)opened: events may
 * have been missed, so list. `unsupported` (may be NULL) is called once, and no more follows, if the runtime does not know
 * the method (containerd before 1.7): poll then. All on the runtime connection's loop thread: hand over, don't block. */
struct cri_events {
    void (*event)(const struct json *event, void *arg);
    void (*restarted)(void *arg);
    void (*unsupported)(void *arg);
    void *arg;
};
void cri_watch(struct cri *c, const struct cri_events *events); /* at most once per struct cri; ends with cri_close */

/* The name of a value of CRI's enum Signal, whose numbers are not the system's: 23 is "SIGTERM". NULL if unknown. */
const char *cri_signal_name(int64_t signal);

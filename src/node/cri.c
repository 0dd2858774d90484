#include "node/cri.h"
#include "base/str.h"
#include "net/grpc.h"

#define DEFAULT_TIMEOUT SECONDS(120)
#define RETRY_MIN MSECONDS(200)
#define RETRY_MAX SECONDS(10)

struct cri {
    struct grpc_channel *channel;
    /* the event stream; on the channel's loop */
    struct cri_events events;
    struct grpc_stream *stream;
    struct loop_timer *retry;
    int64_t backoff;
    bool closing;
};

struct cri *cri_new(const char *endpoint) {
    struct cri *c = xcalloc(1, sizeof *c);
    c->channel = grpc_open(&(struct net_target){.unix_path = str_starts(endpoint, "unix://") ? endpoint + 7 : endpoint});
    c->backoff = RETRY_MIN;
    return c;
}

static void stop_events(void *arg) {
    struct cri *c = arg;
    c->closing = true;
    if (c->retry != NULL) loop_timer_cancel(c->retry);
    if (c->stream != NULL) grpc_stream_close(TAKE(c->stream));
}

void cri_close(struct cri *c) {
    loop_post(grpc_loop(c->channel), stop_events, c);
    grpc_close(c->channel);
    free(c);
}

struct error *cri_call(struct cri *c, enum cri_method method, struct arena *a, const struct json *request, int64_t timeout,
                       const struct json **answer) {
    const struct json *ignored;
    return grpc_call(c->channel, &cri_methods[method], a, request, timeout != 0 ? timeout : DEFAULT_TIMEOUT,
                     answer != NULL ? answer : &ignored);
}

const char *cri_description(const struct error *e) { return grpc_description(e); }
const char *cri_signal_name(int64_t signal) { return proto_enum_name(&cri_enum_Signal, signal); }

/* ---- events ---- */

static void open_events(void *arg);

static void events_opened(void *arg) {
    struct cri *c = arg;
    c->events.restarted(c->events.arg);
}

static void events_message(const struct json *event, void *arg) {
    struct cri *c = arg;
    c->backoff = RETRY_MIN;
    c->events.event(event, c->events.arg);
}

static void events_closed(const struct error *e, void *arg) {
    struct cri *c = arg;
    if (c->closing) return;
    grpc_stream_close(TAKE(c->stream));
    if (error_is(e, "Unimplemented")) {
        if (c->events.unsupported != NULL) c->events.unsupported(c->events.arg);
        return;
    }
    c->retry = loop_timer_start(grpc_loop(c->channel), c->backoff, open_events, c);
    c->backoff = MIN(2 * c->backoff, RETRY_MAX);
}

static const struct grpc_stream_callbacks event_callbacks = {
    .opened = events_opened, .message = events_message, .closed = events_closed};

static void open_events(void *arg) {
    struct cri *c = arg;
    c->retry = NULL;
    if (!c->closing)
        c->stream =
            grpc_stream_start(c->channel, &cri_methods[CRI_GET_CONTAINER_EVENTS], &json_empty_object, false, &event_callbacks, c);
}

void cri_watch(struct cri *c, const struct cri_events *events) {
    c->events = *events;
    loop_post(grpc_loop(c->channel), open_events, c);
}

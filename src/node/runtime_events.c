#include "node/runtime_events.h"
#include "base/log.h"
#include "net/grpc.h"
#include "node/runtime.h"
#include <stdio.h>

#define LOG_COMPONENT "node"
#define RETRY SECONDS(1)
#define POLL SECONDS(2)

/* containerd.services.events.v1.Events/Subscribe, as far as it matters here. */
static const struct proto_field any_fields[] = {{"type_url", 1, PROTO_STRING, PROTO_SINGLE}, {"value", 2, PROTO_BYTES, PROTO_SINGLE}};
static const struct proto_message any = {"Any", any_fields, 2};
static const struct proto_field envelope_fields[] = {{"namespace", 2, PROTO_STRING, PROTO_SINGLE}, {"topic", 3, PROTO_STRING, PROTO_SINGLE},
                                                     {"event", 4, PROTO_MESSAGE, PROTO_SINGLE, &any}};
static const struct proto_message envelope = {"Envelope", envelope_fields, 3};
static const struct proto_field subscribe_fields[] = {{"filters", 1, PROTO_STRING, PROTO_REPEATED}};
static const struct proto_message subscribe = {"SubscribeRequest", subscribe_fields, 1};
static const struct proto_method events_subscribe = {"/containerd.services.events.v1.Events/Subscribe", &subscribe, &envelope};
/* TaskStart, TaskExit, TaskOOM: the container is field 1; TaskExit has the exec's or container's own id in 2. */
static const struct proto_field task_fields[] = {{"container_id", 1, PROTO_STRING, PROTO_SINGLE}, {"id", 2, PROTO_STRING, PROTO_SINGLE}};
static const struct proto_message task = {"TaskEvent", task_fields, 2};

struct runtime_events {
    struct node *node;
    pthread_mutex_t lock; /* protects the rest */
    struct grpc_channel *channel;
    struct grpc_stream *stream;
    struct loop_timer *timer; /* loop thread of the channel */
    bool stopped;
};

static void sync_all(struct node *n) {
    LOCK(n);
    for (struct map_slot *s = map_first(&n->workers); s; s = map_next(&n->workers, s)) {
        ((struct pod_worker *)s->value)->runtime_changed = true;
        dispatch_add(n->dispatch, "pod", s->key);
    }
    UNLOCK(n);
    dispatch_add(n->dispatch, "status", "");
}

static bool has_id(const struct pod_runtime *r, const char *id) {
    for (size_t i = 0; r && i < r->sandbox_count; i++)
        if (str_eq(r->sandboxes[i].id, id)) return true;
    return runtime_container_by_id(r, id) != NULL;
}

bool runtime_events_told_end(const struct node *n, const char *id) {
    for (unsigned i = 0; i < EXITED_MAX; i++)
        if (str_eq(n->exited.id[i], id)) return true;
    return false;
}

bool runtime_events_ahead(struct node *n, const struct pod_runtime *r) {
    bool ahead = false;
    LOCK(n);
    for (size_t i = 0; i < r->container_count && !ahead; i++) ahead = r->containers[i].state == CONTAINER_RUNNING && runtime_events_told_end(n, r->containers[i].id);
    for (size_t i = 0; i < r->sandbox_count && !ahead; i++) ahead = r->sandboxes[i].ready && runtime_events_told_end(n, r->sandboxes[i].id);
    UNLOCK(n);
    return ahead;
}

static void note_exit(struct node *n, const char *id) {
    LOCK(n);
    snprintf(n->exited.id[n->exited.next++ % EXITED_MAX], sizeof(n->exited.id[0]), "%s", id);
    UNLOCK(n);
}

/* Whose container is it? One that was not seen yet belongs to a worker that is about to look, and finds its end in the ring. */
static void on_container(struct node *n, const char *id) {
    LOCK(n);
    bool found = false;
    for (struct map_slot *s = map_first(&n->workers); s && !found; s = map_next(&n->workers, s)) {
        struct pod_worker *w = s->value;
        found = has_id(w->runtime, id);
        if (!found) continue;
        w->runtime_changed = true;
        dispatch_add(n->dispatch, "pod", s->key);
    }
    UNLOCK(n);
}

/* ---- GetContainerEvents ---- */

static void on_cri_event(const struct json *event, void *arg) {
    struct runtime_events *e = arg;
    const char *uid = json_str(event, "pod_sandbox_status.metadata.uid");
    cleanup_worker struct pod_worker *w = uid ? worker_find(e->node, uid) : NULL;
    if (w) worker_sync_soon(w, true);
    else if (!uid) on_container(e->node, json_str_or(event, "container_id", ""));
}

static void on_restarted(void *arg) { sync_all(((struct runtime_events *)arg)->node); }

/* ---- containerd's events ---- */

static void open_stream(void *arg);

static void on_opened(void *arg) { sync_all(((struct runtime_events *)arg)->node); }

static void on_envelope(const struct json *m, void *arg) {
    struct runtime_events *e = arg;
    cleanup_arena struct arena a = {0};
    const struct json *value = json_get(m, "event.value"), *t;
    if (!json_str_is(m, "namespace", "k8s.io") || !value) return;
    struct error *bad = proto_decode(&a, &task, value->s, value->len, &t);
    error_free(bad);
    if (bad) return;
    const char *container = json_str_or(t, "container_id", ""), *id = json_str_or(t, "id", container);
    bool exit_of_exec = json_str_is(m, "topic", "/tasks/exit") && !str_eq(container, id);
    if (exit_of_exec) return;
    if (json_str_is(m, "topic", "/tasks/exit")) note_exit(e->node, container);
    on_container(e->node, container);
}

static void poll_runtime(void *arg) {
    struct runtime_events *e = arg;
    sync_all(e->node);
    pthread_mutex_lock(&e->lock);
    e->timer = e->stopped ? NULL : loop_timer_start(grpc_loop(e->channel), POLL, poll_runtime, e);
    pthread_mutex_unlock(&e->lock);
}

static void on_closed(const struct error *why, void *arg) {
    struct runtime_events *e = arg;
    pthread_mutex_lock(&e->lock);
    if (!e->stopped) {
        bool unknown = error_is(why, "Unimplemented"); /* no containerd: look every now and then */
        log_debug("the runtime's events ended: %s", why ? why->message : "end of stream");
        grpc_stream_close(e->stream);
        e->stream = NULL;
        dispatch_add(e->node->dispatch, "status", ""); /* is it down? */
        e->timer = loop_timer_start(grpc_loop(e->channel), unknown ? POLL : RETRY, unknown ? poll_runtime : open_stream, e);
    }
    pthread_mutex_unlock(&e->lock);
}

static void open_stream(void *arg) {
    struct runtime_events *e = arg;
    static const struct grpc_stream_callbacks callbacks = {.opened = on_opened, .message = on_envelope, .closed = on_closed};
    cleanup_arena struct arena a = {0};
    const struct json *request = json_make(&a, "{'filters':['topic==\"/tasks/exit\"','topic==\"/tasks/oom\"']}");
    pthread_mutex_lock(&e->lock);
    e->timer = NULL;
    if (!e->stopped) e->stream = grpc_stream_start(e->channel, &events_subscribe, request, false, &callbacks, e);
    pthread_mutex_unlock(&e->lock);
}

static void on_unsupported(void *arg) {
    struct runtime_events *e = arg;
    const char *endpoint = e->node->config.runtime_endpoint;
    struct net_target t = {.unix_path = str_starts(endpoint, "unix://") ? endpoint + 7 : endpoint};
    log_info("the runtime has no GetContainerEvents: using containerd's events");
    pthread_mutex_lock(&e->lock);
    e->channel = grpc_open(&t);
    pthread_mutex_unlock(&e->lock);
    loop_post(grpc_loop(e->channel), open_stream, e);
}

struct runtime_events *runtime_events_start(struct node *n) {
    struct runtime_events *e = xcalloc(1, sizeof(*e));
    e->node = n;
    pthread_mutex_init(&e->lock, NULL);
    struct cri_events callbacks = {on_cri_event, on_restarted, on_unsupported, e};
    cri_watch(n->cri, &callbacks);
    return e;
}

static void cancel_timer(void *arg) {
    struct runtime_events *e = arg;
    pthread_mutex_lock(&e->lock);
    if (e->timer) loop_timer_cancel(e->timer);
    e->timer = NULL;
    pthread_mutex_unlock(&e->lock);
}

void runtime_events_stop(struct runtime_events *e) {
    pthread_mutex_lock(&e->lock);
    e->stopped = true;
    struct grpc_stream *s = e->stream;
    e->stream = NULL;
    pthread_mutex_unlock(&e->lock);
    if (!e->channel) return;
    if (s) grpc_stream_close(s);
    loop_post(grpc_loop(e->channel), cancel_timer, e);
    grpc_close(e->channel);
    e->channel = NULL;
}

void runtime_events_free(struct runtime_events *e) {
    if (!e) return;
    pthread_mutex_destroy(&e->lock);
    free(e);
}

/* The condition Dangling of flow schemas: whether the priority level that one names exists (apf_controller.go). Set after the fact, as
 * upstream's controller does, when a schema or a level has changed. */
#include "apiserver/internal.h"
#include "apiserver/parts.h"
#include "base/workqueue.h"

#define LOG_COMPONENT "flow"
#define MANAGER "api-priority-and-fairness-config-consumer-v1"

static const struct resource *const kinds[] = {&resource_flowcontrol_flowschemas, &resource_flowcontrol_prioritylevelconfigurations};

struct flow_conditions {
    struct apiserver *server;
    struct workqueue *queue;                       /* one key: all flow schemas */
    struct store_watch *watches[ARRAY_LEN(kinds)]; /* of the queue's thread */
};

const struct json *flow_dangling(struct arena *a, const struct json *schema, bool found, const char *now) {
    const char *level = json_str_or(schema, "spec.priorityLevelConfiguration.name", "");
    return json_make(a, "{'type':'Dangling','status':%s,'lastTransitionTime':%s,'reason':%s,'message':%s}", found ? "False" : "True", now,
                     found ? "Found" : "NotFound",
                     arena_printf(a, "This FlowSchema references the PriorityLevelConfiguration object named \"%s\" %s", level, found ? "and it exists" : "but there is no such object"));
}

static bool says(const struct json *schema, const struct json *wanted) {
    static const char *const fields[] = {"type", "status", "reason", "message"};
    JSON_EACH(k, json_get(schema, "status.conditions")) {
        bool same = true;
        for (size_t i = 0; i < ARRAY_LEN(fields); i++) same &= json_equal(json_member(k, fields[i]), json_member(wanted, fields[i]));
        if (same) return true;
    }
    return false;
}

static struct error *set_condition(struct apiserver *s, struct arena *a, const char *name, const struct json *condition) {
    static const char *const groups[] = {"system:masters", NULL};
    const struct request_options options = {.field_manager = MANAGER, .force = true, .has_force = true};
    const struct json *config = json_make(a, "{'kind':'FlowSchema','apiVersion':'flowcontrol.apiserver.k8s.io/v1','metadata':{'name':%s},'status':{'conditions':[%v]}}", name, condition);
    const struct apiserver_call c = {.user = "system:apiserver", .groups = groups, .user_agent = "kube-apiserver", .verb = "patch", .resource = kinds[0], .subresource = "status",
                                     .name = name, .patch_type = "application/apply-patch+yaml", .options = &options, .body = config};
    struct apiserver_answer answer = {0};
    TRY(apiserver_call(s, &c, &answer));
    doc_unref(answer.doc);
    return NULL;
}

static struct error *sync_schema(struct apiserver *s, const struct doc *d) {
    cleanup_arena struct arena a = {0};
    char now[TIME_STRING_MAX];
    cleanup_doc struct doc *level = registry_get(s, kinds[1], NULL, json_str_or(d->root, "spec.priorityLevelConfiguration.name", ""));
    const struct json *wanted = flow_dangling(&a, d->root, level != NULL, time_format(now, clock_wall(s->clock)));
    if (says(d->root, wanted)) return NULL;
    struct error *e = set_condition(s, &a, doc_name(d), wanted);
    if (!error_is(e, "NotFound")) return e; /* deleted meanwhile */
    error_free(e);
    return NULL;
}

static void wake(void *arg) {
    struct flow_conditions *f = arg;
    workqueue_add(f->queue, "schemas");
}

/* Takes what a watch has, and opens it anew where it was lost: what is looked at is the state, not the events. */
static struct error *follow(struct flow_conditions *f, size_t i) {
    struct store_event ev;
    bool lost = false;
    while (f->watches[i] && store_watch_next(f->watches[i], &ev, &lost)) continue;
    if (f->watches[i] && !lost) return NULL;
    if (f->watches[i]) store_watch_close(f->watches[i]);
    f->watches[i] = NULL;
    TRY(store_watch_open(f->server->store, table_of(f->server, kinds[i]), store_revision(f->server->store), wake, f, &f->watches[i]));
    while (store_watch_next(f->watches[i], &ev, &lost)) continue; /* from here on it wakes */
    return NULL;
}

static bool collect(struct doc *d, void *arg) {
    doc_list_add(arg, d);
    return true;
}

static struct work_result run(const char *key UNUSED, void *arg) {
    struct flow_conditions *f = arg;
    CLEANUP(doc_list_free) struct doc_list schemas = {0};
    struct error *e = NULL;
    for (size_t i = 0; i < ARRAY_LEN(kinds) && e == NULL; i++) e = follow(f, i);
    if (e == NULL) registry_each(f->server, kinds[0], NULL, collect, &schemas);
    for (size_t i = 0; i < schemas.len && e == NULL && !atomic_load(&f->server->stopping); i++) e = sync_schema(f->server, schemas.items[i]);
    return (struct work_result){.error = e};
}

struct flow_conditions *flow_conditions_new(struct apiserver *s) {
    struct flow_conditions *f = xcalloc(1, sizeof(*f));
    f->server = s;
    f->queue = workqueue_new(&(struct workqueue_config){.name = "flow schemas", .threads = 1, .clock = s->clock, .run = run, .arg = f});
    wake(f);
    return f;
}

void flow_conditions_free(struct flow_conditions *f) {
    if (f == NULL) return;
    workqueue_close(f->queue);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) if (f->watches[i]) store_watch_close(f->watches[i]);
    free(f);
}

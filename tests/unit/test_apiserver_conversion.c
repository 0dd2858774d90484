/* Conversion of custom resources by a webhook: v1 has spec.address ("host:port"), v2 has spec.host and spec.port; v1 is stored. */
#include "apiserver/apiserver.h"
#include "net_fixture.h"
#include <pthread.h>

#define GROUP "example.com"

enum misdeed { NONE, WRONG_UID, FEWER, OTHER_UID, OTHER_NAME, BAD_LABEL, NO_METADATA, OTHER_VERSION, OTHER_KIND, GARBAGE, NOT_OK, FAILURE, NO_RESPONSE,
               WRONG_REVIEW, LABELLED };

static struct fixture hook;       /* the webhook's server */
static struct loop *client_loop;
static struct store *store;
static struct apiserver *server;
static struct arena arena;
static _Atomic int calls, objects, misdeed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char last_review[4000];

/* ---- the webhook ---- */

static const struct json *to_v2(struct arena *a, const struct json *o) {
    const char *address = json_str(o, "spec.address"), *colon = address ? strchr(address, ':') : NULL;
    return json_with(a, o, "spec", json_make(a, "{'host':%s,'port':%s}", colon ? arena_strndup(a, address, (size_t)(colon - address)) : NULL, colon ? colon + 1 : NULL));
}

static const struct json *to_v1(struct arena *a, const struct json *o) {
    if (json_get(o, "spec.host") == NULL) return json_with(a, o, "spec", &json_empty_object);
    return json_with(a, o, "spec", json_make(a, "{'address':%s}", arena_printf(a, "%s:%s", json_str_or(o, "spec.host", ""), json_str_or(o, "spec.port", ""))));
}

static const struct json *convert(struct arena *a, const struct json *o, const char *version) {
    bool v2 = str_eq(version, GROUP "/v2");
    o = json_with(a, v2 ? to_v2(a, o) : to_v1(a, o), "apiVersion", json_string(a, version));
    switch ((enum misdeed)misdeed) {
    case OTHER_UID: return json_with(a, o, "metadata.uid", json_string(a, "other"));
    case OTHER_NAME: return json_with(a, o, "metadata.name", json_string(a, "other"));
    case BAD_LABEL: return json_with(a, o, "metadata.labels", json_make(a, "{'a':'-'}"));
    case LABELLED: return json_with(a, json_with(a, o, "metadata.labels", json_make(a, "{'converted':'yes'}")), "metadata.finalizers", json_make(a, "['a.b/c']"));
    case NO_METADATA: return json_without(a, o, "metadata");
    case OTHER_VERSION: return json_with(a, o, "apiVersion", json_string(a, GROUP "/v3"));
    case OTHER_KIND: return json_with(a, o, "kind", json_string(a, "Gadget"));
    default: return o;
    }
}

static const struct json *review_answer(struct arena *a, const struct json *review) {
    const struct json *request = json_member(review, "request"), *list = json_member(request, "objects");
    struct json_array out = {.arena = a};
    JSON_EACH(o, list) json_array_add(&out, convert(a, o, json_str_or(request, "desiredAPIVersion", "")));
    atomic_fetch_add(&objects, (int)json_len(list));
    if (misdeed == FEWER) out.len--;
    const struct json *result = misdeed == FAILURE ? json_make(a, "{'status':'Failure','message':'no way'}") : json_make(a, "{'status':'Success'}");
    const struct json *response = json_make(a, "{'uid':%s,'convertedObjects':%v,'result':%v}", misdeed == WRONG_UID ? "x" : json_str(request, "uid"), json_array_done(&out), result);
    return json_make(a, "{'kind':%s,'apiVersion':%v,'response':%v}", misdeed == WRONG_REVIEW ? "AdmissionReview" : "ConversionReview", json_member(review, "apiVersion"),
                     misdeed == NO_RESPONSE ? NULL : response);
}

static void handle(struct http_exchange *x, void *arg) {
    (void)arg;
    const struct json *review;
    const char *text = "]";
    OK(json_parse(&x->arena, x->body, x->body_len, NULL, NULL, &review));
    atomic_fetch_add(&calls, 1);
    pthread_mutex_lock(&lock);
    snprintf(last_review, sizeof(last_review), "%s", json_text(&x->arena, review));
    pthread_mutex_unlock(&lock);
    if (misdeed != GARBAGE) text = json_text(&x->arena, review_answer(&x->arena, review));
    if (misdeed == NOT_OK) http_reply(x, 500, NULL, 0, "out of order", 12, NULL, NULL);
    else http_reply(x, 200, NULL, 0, text, strlen(text), NULL, NULL);
}

/* ---- the API server ---- */

static struct apiserver_call as(const char *verb, const char *version, const char *name, const struct json *body) {
    static const char *const groups[] = {"system:masters", NULL};
    const struct resource *r = version ? apiserver_resource(server, GROUP, version, "widgets") : &resource_apiextensions_customresourcedefinitions;
    assert_non_null(r);
    resource_release(r); /* the index holds it */
    return (struct apiserver_call){.user = "admin", .groups = groups, .user_agent = "test/1", .verb = verb, .resource = r, .ns = version ? "default" : NULL, .name = name, .body = body};
}

static struct error *run(struct apiserver_call c, struct doc **out) {
    struct apiserver_answer a = {0};
    struct error *e = apiserver_call(server, &c, &a);
    if (e) return e;
    doc_list_free(&a.items);
    free((char *)(uintptr_t)a.continue_token);
    if (out) *out = a.doc;
    else doc_unref(a.doc);
    return NULL;
}

static struct doc *get(const char *version, const char *name) {
    struct doc *d = NULL;
    OK(run(as("get", version, name, NULL), &d));
    return d;
}

static char *error_of(struct apiserver_call c) {
    struct error *e = run(c, NULL);
    if (e == NULL) fail_msg("no error");
    char *text = arena_strdup(&arena, e->message);
    error_free(e);
    return text;
}

static const struct json *definition(const char *storage, const char *reviews) {
    char *ca = NULL;
    struct buf b = {0};
    base64_encode(&b, hook.ca.cert, strlen(hook.ca.cert));
    ca = arena_strdup(&arena, buf_str(&b));
    buf_free(&b);
    const struct json *v1 = json_make(&arena, "{'type':'object','properties':{'spec':{'type':'object','properties':{'address':{'type':'string'},'old':{'type':'string','default':'yes'}}}}}");
    const struct json *v2 = json_make(&arena, "{'type':'object','properties':{'spec':{'type':'object','properties':{'host':{'type':'string'},'port':{'type':'string'}}}}}");
    return json_make(&arena, "{'apiVersion':'apiextensions.k8s.io/v1','kind':'CustomResourceDefinition','metadata':{'name':'widgets." GROUP "'},'spec':{'group':'" GROUP "',"
                     "'names':{'plural':'widgets','singular':'widget','kind':'Widget','listKind':'WidgetList'},'scope':'Namespaced','conversion':{'strategy':'Webhook',"
                     "'webhook':{'conversionReviewVersions':[%s],'clientConfig':{'url':%s,'caBundle':%s}}},'versions':["
                     "{'name':'v1','served':true,'storage':%b,'subresources':{'status':{}},'selectableFields':[{'jsonPath':'.spec.address'}],'schema':{'openAPIV3Schema':%v}},"
                     "{'name':'v2','served':true,'storage':%b,'subresources':{'status':{}},'selectableFields':[{'jsonPath':'.spec.host'}],'schema':{'openAPIV3Schema':%v}}]}}",
                     reviews, arena_printf(&arena, "https://127.0.0.1:%d/convert", hook.port), ca, str_eq(storage, "v1"), v1, str_eq(storage, "v2"), v2);
}

static void store_definition(const struct json *d) {
    cleanup_doc struct doc *there = NULL;
    OK(run(as("get", NULL, "widgets." GROUP, NULL), &there));
    d = json_with(&arena, d, "metadata.resourceVersion", json_get(there->root, "metadata.resourceVersion"));
    OK(run(as("update", NULL, "widgets." GROUP, d), NULL));
}

static const struct json *widget_v1(const char *name, const char *address) {
    return json_make(&arena, "{'apiVersion':'" GROUP "/v1','kind':'Widget','metadata':{'name':%s},'spec':{'address':%s}}", name, address);
}

static const struct json *widget_v2(const char *name, const char *host, const char *port) {
    return json_make(&arena, "{'apiVersion':'" GROUP "/v2','kind':'Widget','metadata':{'name':%s},'spec':{'host':%s,'port':%s}}", name, host, port);
}

static int set_up(void **state) {
    (void)state;
    struct store_config sc = {.backend = "memory", .synchronous = true};
    static bool schema;
    if (!schema) schema_init();
    schema = true;
    calls = objects = misdeed = 0;
    fixture_up(&hook, true, (struct http_server_config){.handler = handle, .max_body = 3 << 20});
    client_loop = loop_new("client");
    OK(store_open(&sc, &store));
    struct apiserver_config config = {.store = store, .issuer = "https://kubernetes.default.svc", .client_loop = client_loop};
    OK(apiserver_new(&config, &server));
    OK(run(as("create", NULL, NULL, definition("v1", "v1")), NULL));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    apiserver_shutdown(server);
    apiserver_free(server);
    store_close(store);
    loop_stop(client_loop);
    fixture_down(&hook);
    arena_free(&arena);
    return 0;
}

/* ---- reading and writing ---- */

static void an_object_is_shown_in_every_version(void **state) {
    (void)state;
    OK(run(as("create", "v2", NULL, widget_v2("a", "h", "80")), NULL));
    cleanup_doc struct doc *v1 = get("v1", "a"), *v2 = get("v2", "a");
    assert_string_equal(json_str(v1->root, "apiVersion"), GROUP "/v1");
    assert_string_equal(json_str(v1->root, "spec.address"), "h:80");
    assert_string_equal(json_str(v2->root, "apiVersion"), GROUP "/v2");
    assert_string_equal(json_str(v2->root, "spec.host"), "h");
    assert_null(json_get(v2->root, "spec.address"));
    assert_int_equal(v1->revision, v2->revision);
}

static void what_is_stored_has_the_storage_version(void **state) {
    (void)state;
    OK(run(as("create", "v2", NULL, widget_v2("a", "h", "80")), NULL));
    cleanup_doc struct doc *stored = store_get(store, store_table(store, GROUP "/widgets"), "default/a");
    assert_string_equal(json_str(stored->root, "apiVersion"), GROUP "/v1");
    assert_string_equal(json_str(stored->root, "spec.address"), "h:80");
    int before = calls;
    cleanup_doc struct doc *v1 = get("v1", "a");
    assert_int_equal(calls, before);
}

static void the_review_is_as_upstream_sends_it(void **state) {
    (void)state;
    OK(run(as("create", "v1", NULL, widget_v1("a", "h:80")), NULL));
    cleanup_doc struct doc *v2 = get("v2", "a");
    const struct json *review;
    OK(json_parse(&arena, last_review, strlen(last_review), NULL, NULL, &review));
    assert_string_equal(json_str(review, "apiVersion"), "apiextensions.k8s.io/v1");
    assert_string_equal(json_str(review, "kind"), "ConversionReview");
    assert_string_equal(json_str(review, "request.desiredAPIVersion"), GROUP "/v2");
    assert_int_equal(strlen(json_str(review, "request.uid")), 36);
    assert_string_equal(json_str(json_at(json_get(review, "request.objects"), 0), "spec.old"), "yes"); /* defaulted as it was read */
}

static void v1beta1_reviews_are_spoken(void **state) {
    (void)state;
    store_definition(definition("v1", "v1beta1"));
    misdeed = WRONG_UID; /* which that version does not look at */
    OK(run(as("create", "v1", NULL, widget_v1("a", "h:80")), NULL));
    cleanup_doc struct doc *v2 = get("v2", "a");
    assert_non_null(strstr(last_review, "apiextensions.k8s.io/v1beta1"));
}

static void a_view_is_made_once(void **state) {
    (void)state;
    OK(run(as("create", "v1", NULL, widget_v1("a", "h:80")), NULL));
    doc_unref(get("v2", "a"));
    int before = calls;
    doc_unref(get("v2", "a"));
    assert_int_equal(calls, before);
}

static void list(const char *version, const struct request_options *o, struct apiserver_answer *out) {
    struct apiserver_call c = as("list", version, NULL, NULL);
    c.options = o;
    OK(apiserver_call(server, &c, out));
}

static void answer_free(struct apiserver_answer *a) {
    doc_list_free(&a->items);
    free((char *)(uintptr_t)a->continue_token);
    *a = (struct apiserver_answer){0};
}

static void create_mixed(int n) {
    for (int i = 0; i < n; i++) OK(run(as("create", "v1", NULL, widget_v1(arena_printf(&arena, "w%d", i), arena_printf(&arena, "h%d:1", i))), NULL));
    store_definition(definition("v2", "v1"));
    OK(run(as("create", "v2", NULL, widget_v2("x", "hx", "2")), NULL));
    calls = objects = 0;
}

static void a_list_of_both_versions_is_converted_in_one_call(void **state) {
    (void)state;
    create_mixed(5);
    struct apiserver_answer a = {0};
    list("v2", NULL, &a);
    assert_int_equal(a.items.len, 6);
    assert_int_equal(calls, 1);
    assert_int_equal(objects, 5);
    for (size_t i = 0; i < a.items.len; i++) assert_string_equal(json_str(a.items.items[i]->root, "apiVersion"), GROUP "/v2");
    answer_free(&a);
    list("v1", NULL, &a);
    assert_int_equal(objects, 6);
    assert_string_equal(json_str(a.items.items[5]->root, "spec.address"), "hx:2");
    answer_free(&a);
}

static void pages_are_converted_by_themselves(void **state) {
    (void)state;
    create_mixed(5);
    struct apiserver_answer a = {0}, b = {0};
    list("v2", &(struct request_options){.limit = 2}, &a);
    assert_int_equal(a.items.len, 2);
    assert_int_equal(objects, 2);
    list("v2", &(struct request_options){.limit = 10, .continue_token = a.continue_token}, &b);
    assert_int_equal(b.items.len, 4);
    assert_null(b.continue_token);
    answer_free(&a);
    answer_free(&b);
}

static void fields_are_selected_in_the_version_asked_for(void **state) {
    (void)state;
    create_mixed(3);
    struct apiserver_answer a = {0};
    list("v2", &(struct request_options){.field_selector = "spec.host=h1"}, &a);
    assert_int_equal(a.items.len, 1);
    assert_string_equal(doc_name(a.items.items[0]), "w1");
    answer_free(&a);
    struct apiserver_call c = as("list", "v2", NULL, NULL);
    c.options = &(struct request_options){.field_selector = "spec.address=h1:1"};
    assert_string_equal(error_of(c), "field label not supported: spec.address");
}

static void an_update_in_another_version_is_stored(void **state) {
    (void)state;
    OK(run(as("create", "v1", NULL, widget_v1("a", "h:80")), NULL));
    struct apiserver_call c = as("patch", "v2", "a", json_make(&arena, "{'spec':{'port':'81'}}"));
    c.patch_type = "application/merge-patch+json";
    OK(run(c, NULL));
    cleanup_doc struct doc *v1 = get("v1", "a");
    assert_string_equal(json_str(v1->root, "spec.address"), "h:81");
    assert_int_equal(json_int(v1->root, "metadata.generation", 0), 2);
    OK(run(as("delete", "v2", "a", NULL), NULL));
}

static void a_new_storage_version_leaves_what_is_stored_until_it_is_written(void **state) {
    (void)state;
    create_mixed(1);
    struct store_table *t = store_table(store, GROUP "/widgets");
    cleanup_doc struct doc *before = store_get(store, t, "default/w0"), *v2 = get("v2", "w0");
    assert_string_equal(json_str(before->root, "apiVersion"), GROUP "/v1");
    assert_string_equal(json_str(v2->root, "spec.host"), "h0");
    OK(run(as("update", "v2", "w0", json_copy(&arena, v2->root)), NULL)); /* says nothing new */
    cleanup_doc struct doc *after = store_get(store, t, "default/w0"), *crd = NULL;
    assert_string_equal(json_str(after->root, "apiVersion"), GROUP "/v2");
    OK(run(as("get", NULL, "widgets." GROUP, NULL), &crd));
    assert_string_equal(json_text(&arena, json_get(crd->root, "status.storedVersions")), "[\"v1\",\"v2\"]");
}

static void labels_may_be_converted_other_metadata_may_not(void **state) {
    (void)state;
    OK(run(as("create", "v1", NULL, widget_v1("a", "h:80")), NULL));
    misdeed = LABELLED;
    cleanup_doc struct doc *v2 = get("v2", "a");
    assert_string_equal(json_str(v2->root, "metadata.labels.converted"), "yes");
    assert_null(json_get(v2->root, "metadata.finalizers"));
}

/* ---- managers of fields ---- */

static struct apiserver_call apply(const char *version, const char *manager, struct request_options *o, const struct json *config) {
    *o = (struct request_options){.field_manager = manager};
    struct apiserver_call c = as("patch", version, "a", config);
    c.patch_type = "application/apply-patch+yaml";
    c.options = o;
    return c;
}

static void managers_of_two_versions_conflict_over_what_is_the_same(void **state) {
    (void)state;
    struct request_options o;
    OK(run(apply("v1", "one", &o, widget_v1("a", "h:80")), NULL));
    char *text = error_of(apply("v2", "two", &o, widget_v2("a", "other", NULL)));
    assert_string_equal(text, "Apply failed with 1 conflict: conflict with \"one\": .spec.address");
    o.force = true;
    struct apiserver_call c = apply("v2", "two", &o, widget_v2("a", "other", NULL));
    o.force = true;
    cleanup_doc struct doc *d = NULL;
    OK(run(c, &d));
    assert_string_equal(json_str(d->root, "spec.host"), "other");
    assert_string_equal(json_str(d->root, "spec.port"), "80");
}

static void an_apply_in_another_version_drops_what_the_last_one_said(void **state) {
    (void)state;
    struct request_options o;
    OK(run(apply("v2", "one", &o, widget_v2("a", "h", "80")), NULL));
    cleanup_doc struct doc *d = NULL;
    OK(run(apply("v1", "one", &o, json_make(&arena, "{'apiVersion':'" GROUP "/v1','kind':'Widget','metadata':{'name':'a','labels':{'l':'x'}}}")), &d));
    assert_string_equal(json_str(json_at(json_get(d->root, "metadata.managedFields"), 0), "apiVersion"), GROUP "/v1");
    assert_int_equal(json_len(json_get(d->root, "metadata.managedFields")), 1);
    cleanup_doc struct doc *v2 = get("v2", "a");
    assert_null(json_get(v2->root, "spec.host"));
}

/* ---- failures ---- */

static void a_bad_answer_is_told(void **state) {
    (void)state;
    static const struct { enum misdeed misdeed; const char *text; } cases[] = {
        {FEWER, "conversion webhook for example.com/v1, Kind=Widget returned 0 objects, expected 1"},
        {OTHER_UID, "conversion webhook for example.com/v1, Kind=Widget returned invalid object: must have the same UID: %s != other"},
        {OTHER_NAME, "conversion webhook for example.com/v1, Kind=Widget returned invalid object: must have the same name: a != other"},
        {NO_METADATA, "conversion webhook for example.com/v1, Kind=Widget returned invalid object: must have the same name: a != "},
        {OTHER_VERSION, "conversion webhook for example.com/v1, Kind=Widget returned invalid object at index 0: invalid groupVersion (expected example.com/v2, received example.com/v3)"},
        {OTHER_KIND, "conversion webhook for example.com/v1, Kind=Widget returned invalid object at index 0: invalid kind (expected Widget, received Gadget)"},
        {FAILURE, "conversion webhook for example.com/v1, Kind=Widget failed: no way"},
        {NO_RESPONSE, "conversion webhook for example.com/v1, Kind=Widget failed: no response provided"},
        {NOT_OK, "conversion webhook for example.com/v1, Kind=Widget failed: an error on the server (\"out of order\") has prevented the request from succeeding"},
        {WRONG_REVIEW, "conversion webhook for example.com/v1, Kind=Widget failed: expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got apiextensions.k8s.io/v1, Kind=AdmissionReview"},
        {GARBAGE, "conversion webhook for example.com/v1, Kind=Widget failed: couldn't get version/kind; json parse error: invalid character ']' looking for beginning of value"},
    };
    OK(run(as("create", "v1", NULL, widget_v1("a", "h:80")), NULL));
    cleanup_doc struct doc *a = get("v1", "a");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        misdeed = (int)cases[i].misdeed;
        const char *slot = strstr(cases[i].text, "%s");
        const char *want = slot ? arena_printf(&arena, "%.*s%s%s", (int)(slot - cases[i].text), cases[i].text, doc_uid(a), slot + 2) : cases[i].text;
        assert_string_equal(error_of(as("get", "v2", "a", NULL)), want);
    }
    misdeed = WRONG_UID;
    assert_non_null(strstr(error_of(as("get", "v2", "a", NULL)), "failed: expected response.uid=\""));
    misdeed = BAD_LABEL;
    assert_non_null(strstr(error_of(as("get", "v2", "a", NULL)), "returned invalid metadata: metadata.labels: Invalid value: \"-\""));
    misdeed = NONE;
    doc_unref(get("v2", "a"));
}

static void a_failure_is_an_error_without_reason(void **state) {
    (void)state;
    OK(run(as("create", "v1", NULL, widget_v1("a", "h:80")), NULL));
    misdeed = FAILURE;
    struct apiserver_call c = as("list", "v2", NULL, NULL);
    struct apiserver_answer a = {0};
    struct error *e = apiserver_call(server, &c, &a);
    const struct json *status = status_json(&arena, e);
    assert_int_equal(json_int(status, "code", 0), 500);
    assert_null(json_member(status, "reason"));
    error_free(e);
    assert_non_null(error_of(as("create", "v2", NULL, widget_v2("b", "h", "1"))));
    assert_non_null(error_of(as("delete", "v2", "a", NULL)));
    OK(run(as("delete", "v1", "a", NULL), NULL)); /* nobody has to be asked */
}

static void a_webhook_that_is_down_is_told(void **state) {
    (void)state;
    OK(run(as("create", "v1", NULL, widget_v1("a", "h:80")), NULL));
    const struct json *d = json_with(&arena, definition("v1", "v1"), "spec.conversion.webhook.clientConfig.url", json_string(&arena, "https://127.0.0.1:1/convert"));
    store_definition(d);
    assert_string_equal(error_of(as("get", "v2", "a", NULL)), "conversion webhook for example.com/v1, Kind=Widget failed: Post \"https://127.0.0.1:1/convert?timeout=30s\": "
                        "dial tcp 127.0.0.1:1: connect: connection refused");
}

static void a_definition_goes_without_its_webhook(void **state) {
    (void)state;
    OK(run(as("create", "v1", NULL, widget_v1("a", "h:80")), NULL));
    misdeed = FAILURE;
    OK(run(as("delete", NULL, "widgets." GROUP, NULL), NULL));
    for (int i = 0; i < 2000; i++) {
        cleanup_error struct error *e = run(as("get", NULL, "widgets." GROUP, NULL), NULL);
        if (error_is(e, "NotFound")) return;
        usleep(1000);
    }
    fail_msg("the definition is still there");
}

/* ---- watches ---- */

struct watcher {
    struct apiserver_watch *watch;
    _Atomic int woken;
};

static void wake(void *arg) { atomic_fetch_add(&((struct watcher *)arg)->woken, 1); }

static void watch(struct watcher *w, const char *version, const struct request_options *o) {
    struct apiserver_call c = as("watch", version, NULL, NULL);
    c.options = o;
    OK(apiserver_watch_open(server, &c, store_revision(store), wake, w, &w->watch));
}

/* The next event; waits for it. False: the watch is over. */
static bool next(struct watcher *w, struct store_event *ev) {
    bool lost;
    for (int i = 0; i < 5000; i++) {
        if (apiserver_watch_next(w->watch, ev, &lost)) return true;
        if (lost) return false;
        usleep(1000);
    }
    fail_msg("no event");
    return false;
}

static void a_watch_shows_its_version(void **state) {
    (void)state;
    struct watcher w = {0}, other = {0};
    struct store_event ev;
    watch(&w, "v2", NULL);
    watch(&other, "v2", NULL);
    for (int i = 0; i < 3; i++) OK(run(as("create", "v1", NULL, widget_v1(arena_printf(&arena, "w%d", i), "h:80")), NULL));
    uint64_t last = store_revision(store);
    calls = 0;
    for (int i = 0; i < 3; i++) {
        assert_true(next(&w, &ev));
        assert_string_equal(doc_name(ev.doc), arena_printf(&arena, "w%d", i));
        assert_string_equal(json_str(ev.doc->root, "spec.host"), "h");
        assert_true(i == 2 || apiserver_watch_progress(w.watch) == 0);
    }
    assert_true(w.woken > 0);
    bool lost;
    assert_false(apiserver_watch_next(w.watch, &ev, &lost));
    assert_true(apiserver_watch_progress(w.watch) >= last);
    for (int i = 0; i < 3; i++) assert_true(next(&other, &ev));
    assert_int_equal(calls, 1);
    OK(run(as("delete", "v1", "w0", NULL), NULL));
    assert_true(next(&w, &ev));
    assert_int_equal(ev.type, STORE_DELETED);
    assert_string_equal(json_str(ev.doc->root, "apiVersion"), GROUP "/v2");
    apiserver_watch_close(w.watch);
    apiserver_watch_close(other.watch);
}

static void a_watch_selects_by_fields_of_its_version(void **state) {
    (void)state;
    struct watcher w = {0};
    struct store_event ev;
    watch(&w, "v2", &(struct request_options){.field_selector = "spec.host=b"});
    OK(run(as("create", "v1", NULL, widget_v1("x", "a:1")), NULL));
    OK(run(as("create", "v1", NULL, widget_v1("y", "b:1")), NULL));
    assert_true(next(&w, &ev));
    assert_string_equal(doc_name(ev.doc), "y");
    struct apiserver_call c = as("patch", "v1", "y", json_make(&arena, "{'spec':{'address':'c:1'}}"));
    c.patch_type = "application/merge-patch+json";
    OK(run(c, NULL));
    assert_true(next(&w, &ev));
    assert_int_equal(ev.type, STORE_DELETED);
    assert_string_equal(json_str(ev.doc->root, "spec.host"), "b");
    apiserver_watch_close(w.watch);
}

static void a_watch_ends_when_the_webhook_fails(void **state) {
    (void)state;
    struct watcher w = {0};
    struct store_event ev;
    watch(&w, "v2", NULL);
    misdeed = FAILURE;
    OK(run(as("create", "v1", NULL, widget_v1("a", "h:80")), NULL));
    assert_false(next(&w, &ev));
    assert_string_equal(apiserver_watch_failure(w.watch)->message, "conversion webhook for example.com/v1, Kind=Widget failed: no way");
    apiserver_watch_close(w.watch);
}

static void a_watch_may_be_closed_while_it_waits(void **state) {
    (void)state;
    struct watcher w = {0};
    struct store_event ev;
    bool lost;
    watch(&w, "v2", NULL);
    OK(run(as("create", "v1", NULL, widget_v1("a", "h:80")), NULL));
    assert_false(apiserver_watch_next(w.watch, &ev, &lost));
    assert_false(lost);
    apiserver_watch_close(w.watch);
}

int main(void) {
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(an_object_is_shown_in_every_version), T(what_is_stored_has_the_storage_version), T(the_review_is_as_upstream_sends_it), T(v1beta1_reviews_are_spoken),
        T(a_view_is_made_once), T(a_list_of_both_versions_is_converted_in_one_call), T(pages_are_converted_by_themselves),
        T(fields_are_selected_in_the_version_asked_for), T(an_update_in_another_version_is_stored),
        T(a_new_storage_version_leaves_what_is_stored_until_it_is_written), T(labels_may_be_converted_other_metadata_may_not),
        T(managers_of_two_versions_conflict_over_what_is_the_same), T(an_apply_in_another_version_drops_what_the_last_one_said), T(a_bad_answer_is_told),
        T(a_failure_is_an_error_without_reason), T(a_webhook_that_is_down_is_told), T(a_definition_goes_without_its_webhook), T(a_watch_shows_its_version),
        T(a_watch_selects_by_fields_of_its_version), T(a_watch_ends_when_the_webhook_fails), T(a_watch_may_be_closed_while_it_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

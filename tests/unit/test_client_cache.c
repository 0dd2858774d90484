/* Caches: over the store, and over list and watch. */
#include "client_fixture.h"

static void assert_owned(struct cache *c, const char *uid, const char *expected) {
    struct doc_list l = {0};
    cache_list_owned(c, &resource_pods, "ns", uid, &l);
    cleanup_free char *text = names(&l);
    assert_string_equal(text, expected);
}

static void assert_on_node(struct cache *c, const char *node, const char *expected) {
    struct doc_list l = {0};
    cache_list_on_node(c, node, &l);
    cleanup_free char *text = names(&l);
    assert_string_equal(text, expected);
}

static void assert_listed(struct cache *c, const char *ns, const char *expected) {
    struct doc_list l = {0};
    cache_list(c, &resource_pods, ns, &l);
    cleanup_free char *text = names(&l);
    assert_string_equal(text, expected);
}

static void what_was_just_written_can_be_read_in_every_way(void **state) {
    struct store_client *s = *state;
    struct cache *c = cache_new_over(&s->base, s->store);
    assert_owned(c, "u1", "");
    doc_unref(add_pod(s, "b", "u1", "n1"));
    doc_unref(add_pod(s, "a", "u1", NULL));
    doc_unref(add_pod(s, "c", "u2", "n1"));
    assert_owned(c, "u1", "a b");
    assert_owned(c, "u2", "c");
    assert_on_node(c, "n1", "b c");
    assert_listed(c, "ns", "a b c");
    assert_listed(c, NULL, "a b c");
    assert_listed(c, "n", "");
    cleanup_doc struct doc *d = cache_get(c, &resource_pods, "ns", "b");
    assert_non_null(d);
    assert_null(cache_get(c, &resource_pods, "ns", "absent"));
    assert_true(cache_synced(c));
    cache_free(c);
}

static void indexes_follow_changes_and_deletions(void **state) {
    struct store_client *s = *state;
    cleanup_arena struct arena a = {0};
    struct cache *c = cache_new_over(&s->base, s->store);
    doc_unref(add_pod(s, "a", "u1", "n1"));
    doc_unref(add_pod(s, "b", "u1", "n1"));
    assert_on_node(c, "n1", "a b");
    const struct json *moved = json_make(&a, "{'spec':{'nodeName':'n2'},'metadata':{'ownerReferences':[]}}");
    assert_no_error(client_patch(&s->base, &resource_pods, "ns", "a", NULL, PATCH_MERGE, moved, NULL));
    assert_no_error(client_delete(&s->base, &resource_pods, "ns", "b", NULL));
    assert_on_node(c, "n1", "");
    assert_on_node(c, "n2", "a");
    assert_owned(c, "u1", "");
    cache_free(c);
}

static void an_index_that_was_not_read_for_long_is_rebuilt(void **state) {
    struct store_client *s = *state;
    struct cache *c = cache_new_over(&s->base, s->store);
    doc_unref(add_pod(s, "gone", "u1", "n1"));
    assert_owned(c, "u1", "gone");
    assert_no_error(client_delete(&s->base, &resource_pods, "ns", "gone", NULL));
    for (int i = 0; i < 9000; i++) { /* more than the window keeps */
        doc_unref(add_pod(s, "x", NULL, NULL));
        assert_no_error(client_delete(&s->base, &resource_pods, "ns", "x", NULL));
    }
    doc_unref(add_pod(s, "new", "u1", "n1"));
    assert_owned(c, "u1", "new");
    cache_free(c);
}

/* ---- subscriptions ---- */

struct heard {
    pthread_mutex_t lock;
    struct buf text;
};
static void hear(const struct resource *r UNUSED, struct doc *before, struct doc *after, void *arg) {
    struct heard *h = arg;
    pthread_mutex_lock(&h->lock);
    buf_printf(&h->text, "%s%s%s ", !before ? "+" : !after ? "-" : "~", doc_name(after ? after : before),
               after ? json_str_or(after->root, "spec.nodeName", "") : "");
    pthread_mutex_unlock(&h->lock);
}
static void assert_heard(struct heard *h, const char *expected) {
    pthread_mutex_lock(&h->lock);
    assert_string_equal(buf_str(&h->text), expected);
    buf_clear(&h->text);
    pthread_mutex_unlock(&h->lock);
}
static void await_heard(struct heard *h, const char *expected) {
    for (int i = 0; i < 5000; i++) {
        pthread_mutex_lock(&h->lock);
        bool there = strcmp(buf_str(&h->text), expected) == 0;
        pthread_mutex_unlock(&h->lock);
        if (there) break;
        usleep(1000);
    }
    assert_heard(h, expected);
}
static void set_node(struct store_client *s, const char *pod, const char *node) {
    cleanup_arena struct arena a = {0};
    assert_no_error(client_patch(&s->base, &resource_pods, "ns", pod, NULL, PATCH_MERGE, json_make(&a,
            "{'spec':{'nodeName':%s}}", node), NULL));
}

static void subscribers_hear_what_is_there_and_then_changes_in_order(void **state) {
    struct store_client *s = *state;
    struct cache *c = cache_new_over(&s->base, s->store);
    struct heard one = {PTHREAD_MUTEX_INITIALIZER}, two = {PTHREAD_MUTEX_INITIALIZER};
    doc_unref(add_pod(s, "a", NULL, NULL));
    struct cache_subscription *first = cache_subscribe(c, &resource_pods, hear, &one);
    assert_heard(&one, ""); /* on the cache's thread only */
    assert_false(cache_subscription_told(first));
    assert_true(cache_pump(c));
    assert_true(cache_subscription_told(first));
    assert_heard(&one, "+a ");
    set_node(s, "a", "n1");
    doc_unref(add_pod(s, "b", NULL, NULL));
    assert_no_error(client_delete(&s->base, &resource_pods, "ns", "a", NULL));
    struct cache_subscription *second = cache_subscribe(c, &resource_pods, hear, &two);
    assert_false(cache_subscription_told(second));
    assert_true(cache_pump(c));
    assert_true(cache_subscription_told(second));
    assert_heard(&one, "~an1 +b -a ");
    assert_heard(&two, "+a ~an1 +b -a ");
    assert_false(cache_pump(c));
    cache_unsubscribe(first);
    set_node(s, "b", "n1");
    cache_pump(c);
    assert_heard(&one, "");
    assert_heard(&two, "~bn1 ");
    cache_unsubscribe(second);
    cache_free(c);
    buf_free(&one.text);
    buf_free(&two.text);
}

static void a_subscriber_that_missed_the_window_hears_the_difference(void **state) {
    struct store_client *s = *state;
    struct cache *c = cache_new_over(&s->base, s->store);
    struct heard h = {PTHREAD_MUTEX_INITIALIZER};
    struct cache_subscription *sub = cache_subscribe(c, &resource_pods, hear, &h);
    doc_unref(add_pod(s, "gone", NULL, NULL));
    doc_unref(add_pod(s, "changed", NULL, NULL));
    doc_unref(add_pod(s, "same", NULL, NULL));
    cache_pump(c);
    buf_clear(&h.text);
    assert_no_error(client_delete(&s->base, &resource_pods, "ns", "gone", NULL));
    for (int i = 0; i < 9000; i++) set_node(s, "changed", i % 2 ? "n1" : "n2");
    doc_unref(add_pod(s, "new", NULL, NULL));
    cache_pump(c);
    assert_heard(&h, "-gone ~changedn1 +new ");
    cache_unsubscribe(sub);
    cache_free(c);
    buf_free(&h.text);
}

static void with_a_real_clock_a_thread_tells(void **state) {
    struct store_client *s = *state;
    struct cache *c = cache_new_over(&s->base, s->store);
    struct heard h = {PTHREAD_MUTEX_INITIALIZER};
    doc_unref(add_pod(s, "a", NULL, NULL));
    struct cache_subscription *sub = cache_subscribe(c, &resource_pods, hear, &h);
    await_heard(&h, "+a ");
    set_node(s, "a", "n1");
    await_heard(&h, "~an1 ");
    cache_unsubscribe(sub);
    cache_free(c);
    buf_free(&h.text);
}

/* ---- remote ---- */

static void a_remote_cache_holds_what_list_and_watch_bring(void **state) {
    struct store_client *s = *state;
    doc_unref(add_pod(s, "a", "u1", "n1"));
    struct cache *c = cache_new_over(&s->base, NULL);
    struct heard h = {PTHREAD_MUTEX_INITIALIZER};
    cache_add(c, &resource_pods, "spec.nodeName=n1");
    assert_no_error(cache_wait_synced(c, SECONDS(10)));
    struct cache_subscription *sub = cache_subscribe(c, &resource_pods, hear, &h);
    await_heard(&h, "+an1 ");
    doc_unref(add_pod(s, "b", "u1", "n1"));
    await_heard(&h, "+bn1 ");
    assert_owned(c, "u1", "a b");
    assert_on_node(c, "n1", "a b");
    assert_listed(c, "ns", "a b");
    assert_no_error(client_delete(&s->base, &resource_pods, "ns", "a", NULL));
    await_heard(&h, "-a ");
    assert_owned(c, "u1", "b");
    assert_null(cache_get(c, &resource_pods, "ns", "a"));
    cache_unsubscribe(sub);
    cache_free(c);
    buf_free(&h.text);
}

static void a_remote_cache_goes_on_when_a_watch_ends_and_lists_again_when_it_expired(void **state) {
    struct store_client *s = *state;
    struct cache *c = cache_new_over(&s->base, NULL);
    struct heard h = {PTHREAD_MUTEX_INITIALIZER};
    struct cache_subscription *sub = cache_subscribe(c, &resource_pods, hear, &h);
    doc_unref(add_pod(s, "a", NULL, NULL));
    await_heard(&h, "+a ");
    sc_end_watch(s, NULL);
    doc_unref(add_pod(s, "b", NULL, NULL));
    await_heard(&h, "+b ");
    cleanup_error struct error *expired = error_api(410, "Expired", "too old");
    sc_end_watch(s, expired);
    assert_no_error(client_delete(&s->base, &resource_pods, "ns", "a", NULL));
    await_heard(&h, "-a ");
    assert_listed(c, NULL, "b");
    cache_unsubscribe(sub);
    cache_free(c);
    buf_free(&h.text);
}

#define SIMULATED(name) cmocka_unit_test_setup_teardown(name, setup_simulated, teardown_client)
#define REAL(name) cmocka_unit_test_setup_teardown(name, setup_real, teardown_client)
int main(void) {
    const struct CMUnitTest tests[] = {
        SIMULATED(what_was_just_written_can_be_read_in_every_way),
        SIMULATED(indexes_follow_changes_and_deletions),
        SIMULATED(an_index_that_was_not_read_for_long_is_rebuilt),
        SIMULATED(subscribers_hear_what_is_there_and_then_changes_in_order),
        SIMULATED(a_subscriber_that_missed_the_window_hears_the_difference),
        REAL(with_a_real_clock_a_thread_tells),
        REAL(a_remote_cache_holds_what_list_and_watch_bring),
        REAL(a_remote_cache_goes_on_when_a_watch_ends_and_lists_again_when_it_expired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

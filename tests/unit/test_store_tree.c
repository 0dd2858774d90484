/* The copy-on-write tree against a plain sorted array, and that old versions never change. */
#include "store/tree.h"
#include "store_fixture.h"

enum { KEYS = 3000, STEPS = 20000 };

static struct doc *number(int i) {
    cleanup_arena struct arena a = {0};
    return doc_new(json_make(&a, "{'n':%d}", i));
}

static struct tree_node *put_number(struct tree_node *root, const char *key, int i) {
    cleanup_doc struct doc *d = number(i);
    struct tree_key *k = tree_key_new(key);
    root = tree_put(root, k, d);
    tree_key_unref(k);
    return root;
}

static char *key_of_number(int i) { return xprintf("ns-%d/pod-%05d", i % 7, i); }

struct order {
    char last[64];
    size_t count;
};
static bool check_order(const char *key, struct doc *d UNUSED, void *arg) {
    struct order *o = arg;
    assert_true(strcmp(o->last, key) < 0);
    snprintf(o->last, sizeof(o->last), "%s", key);
    o->count++;
    return true;
}

static void assert_holds(const struct tree_node *root, const int *model) {
    size_t expected = 0;
    for (int i = 0; i < KEYS; i++) {
        cleanup_free char *key = key_of_number(i);
        struct doc *d = tree_get(root, key, NULL);
        assert_int_equal(d ? json_int(d->root, "n", 0) : 0, model[i]);
        expected += model[i] != 0;
    }
    struct order o = {0};
    assert_true(tree_walk(root, "", check_order, &o));
    assert_int_equal(o.count, expected);
    assert_int_equal(tree_count(root), expected);
}

static void it_holds_what_was_put_and_not_removed(void **state UNUSED) {
    static int model[KEYS], old_model[KEYS];
    struct tree_node *root = NULL, *old = NULL;
    srandom(7);
    for (int step = 1; step <= STEPS; step++) {
        int i = (int)(random() % KEYS);
        cleanup_free char *key = key_of_number(i);
        /* grows in the first half, shrinks in the second */
        bool remove = random() % 10 < (step < STEPS / 2 ? 3 : 8);
        root = remove ? tree_remove(root, key) : put_number(root, key, step);
        model[i] = remove ? 0 : step;
        if (step == STEPS / 2) {
            old = tree_ref(root);
            memcpy(old_model, model, sizeof(model));
        }
    }
    assert_holds(root, model);
    assert_holds(old, old_model);
    tree_unref(old);
    tree_unref(root);
}

static void it_is_empty_again_when_all_is_removed(void **state UNUSED) {
    struct tree_node *root = NULL;
    for (int i = 0; i < KEYS; i++) {
        cleanup_free char *key = key_of_number(i);
        root = put_number(root, key, 1);
    }
    for (int i = KEYS; i-- > 0;) {
        cleanup_free char *key = key_of_number(i);
        root = tree_remove(root, key);
    }
    assert_null(root);
    assert_null(tree_remove(root, "absent"));
    assert_null(tree_get(root, "absent", NULL));
}

static void rank_counts_smaller_keys(void **state UNUSED) {
    struct tree_node *root = NULL;
    for (int i = 0; i < 1000; i++) {
        cleanup_free char *key = xprintf("%04d", i);
        root = put_number(root, key, i);
    }
    for (int i = 0; i < 1000; i += 37) {
        cleanup_free char *key = xprintf("%04d", i);
        assert_int_equal(tree_rank(root, key), i);
    }
    assert_int_equal(tree_rank(root, "~"), 1000);
    assert_int_equal(tree_rank(NULL, "x"), 0);
    tree_unref(root);
}

static bool stop_at_second(const char *key UNUSED, struct doc *d UNUSED, void *arg) { return ++*(int *)arg < 2; }

static void a_walk_starts_where_asked_and_stops_when_told(void **state UNUSED) {
    struct tree_node *root = NULL;
    for (int i = 0; i < 200; i++) {
        cleanup_free char *key = xprintf("%04d", i);
        root = put_number(root, key, i);
    }
    int seen = 0;
    assert_false(tree_walk(root, "0150x", stop_at_second, &seen));
    assert_int_equal(seen, 2);
    struct order o = {0};
    tree_walk(root, "0150x", check_order, &o);
    assert_int_equal(o.count, 49);
    tree_unref(root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_what_was_put_and_not_removed),
        cmocka_unit_test(it_is_empty_again_when_all_is_removed),
        cmocka_unit_test(rank_counts_smaller_keys),
        cmocka_unit_test(a_walk_starts_where_asked_and_stops_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

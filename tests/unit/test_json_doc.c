#include "base/clock.h"
#include "json/doc.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct doc *made(const char *text) {
    cleanup_arena struct arena a = {0};
    const struct json *v = NULL;
    assert_null(json_parse(&a, text, strlen(text), NULL, NULL, &v));
    return doc_new(v);
}

static void a_document_outlives_the_arena_that_it_came_from(void **state UNUSED) {
    cleanup_doc struct doc *d = made("{\"metadata\":{\"name\":\"n\",\"namespace\":\"ns\",\"uid\":\"u\",\"labels\":{\"x/y\":\"z\"}},\"l\":[1,\"s\",{\"k\":null}]}");
    assert_string_equal(doc_name(d), "n");
    assert_string_equal(doc_namespace(d), "ns");
    assert_string_equal(doc_uid(d), "u");
    assert_string_equal(doc_encoded(d)->data,
                        "{\"metadata\":{\"name\":\"n\",\"namespace\":\"ns\",\"uid\":\"u\",\"labels\":{\"x/y\":\"z\"}},\"l\":[1,\"s\",{\"k\":null}]}");
    assert_ptr_equal(doc_encoded(d), doc_encoded(d));
    assert_true(doc_memory(d) > doc_encoded(d)->len);
}

static void a_missing_resource_version_appears_at_its_place_when_it_is_set(void **state UNUSED) {
    cleanup_doc struct doc *d = made("{\"metadata\":{\"name\":\"n\",\"uid\":\"u\",\"generation\":1}}");
    assert_null(json_get(d->root, "metadata.resourceVersion"));
    assert_string_equal(doc_encoded(d)->data, "{\"metadata\":{\"name\":\"n\",\"uid\":\"u\",\"generation\":1}}");
    assert_int_equal(d->revision, 0);
    doc_set_revision(d, 42);
    doc_set_revision(d, UINT64_MAX);
    assert_string_equal(doc_encoded(d)->data, "{\"metadata\":{\"name\":\"n\",\"uid\":\"u\",\"resourceVersion\":\"18446744073709551615\",\"generation\":1}}");
    assert_true(d->revision == UINT64_MAX);
}

static void a_resource_version_that_is_there_is_read_and_replaced(void **state UNUSED) {
    cleanup_doc struct doc *d = made("{\"metadata\":{\"resourceVersion\":\"7\",\"name\":\"n\"}}");
    assert_int_equal(d->revision, 7);
    doc_set_revision(d, 123456789012);
    assert_string_equal(doc_encoded(d)->data, "{\"metadata\":{\"resourceVersion\":\"123456789012\",\"name\":\"n\"}}");
}

static void metadata_may_be_empty_or_absent(void **state UNUSED) {
    const char *const texts[] = {"{}", "[]", "1", "{\"metadata\":null}", "{\"metadata\":[]}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        cleanup_doc struct doc *d = made(texts[i]);
        doc_set_revision(d, 5);
        assert_string_equal(doc_encoded(d)->data, texts[i]);
        assert_null(doc_name(d));
    }
    cleanup_doc struct doc *d = made("{\"metadata\":{}}");
    doc_set_revision(d, 5);
    assert_string_equal(doc_encoded(d)->data, "{\"metadata\":{\"resourceVersion\":\"5\"}}");
}

static void registered_names_are_shared(void **state UNUSED) {
    static const char *const names[] = {"metadata", "name", "spec", "name"};
    cleanup_doc struct doc *before = made("{\"metadata\":{\"name\":\"n\"},\"other\":1}");
    doc_register_names(names, ARRAY_LEN(names));
    cleanup_doc struct doc *d = made("{\"metadata\":{\"name\":\"n\"},\"other\":1}");
    cleanup_doc struct doc *e = doc_new(d->root);
    assert_ptr_equal(d->root->members[0].key, e->root->members[0].key);
    assert_ptr_not_equal(d->root->members[1].key, e->root->members[1].key);
    assert_true(doc_memory(d) < doc_memory(before));
    assert_string_equal(doc_encoded(e)->data, doc_encoded(before)->data);
}

static void *encode(void *d) { return (void *)(uintptr_t)doc_encoded(d); }

static void threads_agree_on_one_encoding(void **state UNUSED) {
    cleanup_doc struct doc *d = made("{\"metadata\":{\"name\":\"n\"}}");
    pthread_t threads[8];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) pthread_create(&threads[i], NULL, encode, d);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *bytes;
        pthread_join(threads[i], &bytes);
        assert_ptr_equal(bytes, doc_encoded(d));
    }
}

static void lists_hold_references(void **state UNUSED) {
    struct doc *d = made("{}");
    cleanup_doc_list struct doc_list l = {0};
    for (int i = 0; i < 20; i++) doc_list_add(&l, d);
    doc_unref(d);
    assert_string_equal(doc_encoded(l.items[19])->data, "{}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_outlives_the_arena_that_it_came_from),
        cmocka_unit_test(a_missing_resource_version_appears_at_its_place_when_it_is_set),
        cmocka_unit_test(a_resource_version_that_is_there_is_read_and_replaced),
        cmocka_unit_test(metadata_may_be_empty_or_absent),
        cmocka_unit_test(registered_names_are_shared),
        cmocka_unit_test(threads_agree_on_one_encoding),
        cmocka_unit_test(lists_hold_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

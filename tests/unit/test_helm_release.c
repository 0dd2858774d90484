/* Release records: what the real helm wrote (tests/golden/helm/releases.txt: install, upgrade, rollback, failed upgrade, uninstall of a
 * chart with hooks, schema and odd values) reads and is written again to the same bytes. */
#include "base/str.h"
#include "helm/chart/archive.h"
#include "helm/release/action.h"
#include "store_fixture.h"

static char *inner_json(struct arena *a, const char *text) {
    char *bytes;
    size_t n;
    cleanup_buf struct buf plain = {0};
    assert_true(base64_decode(a, text, strlen(text), &bytes, &n));
    assert_no_error(gzip_inflate(bytes, n, &plain));
    return arena_strdup(a, plain.data);
}

static void records_of_helm_survive_reading_and_writing(void **state UNUSED) {
    static const char *const states[] = {"superseded", "superseded", "superseded", "uninstalled"};
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf text = {0};
    cleanup_free char *path = xprintf("%s/tests/golden/helm/releases.txt", getenv("SOURCE_DIR"));
    assert_no_error(file_read(path, 1 << 20, &text));
    size_t count = 0;
    for (char **line = str_split(&a, text.data, '\n', NULL); *line && **line; line++) {
        struct release r;
        const char *again;
        assert_no_error(release_decode(&a, *line, strlen(*line), &r));
        assert_string_equal(r.name, "gold");
        assert_int_equal(r.version, ++count);
        assert_string_equal(r.status_text, states[count - 1]);
        assert_int_equal(r.hook_count, 1);
        assert_int_equal(r.hooks[0].hook.weight, -3);
        assert_int_equal(r.hooks[0].hook.event_count, 4);
        assert_no_error(release_encode(&a, &r, &again));
        assert_string_equal(inner_json(&a, again), inner_json(&a, *line));
    }
    assert_int_equal(count, 4);
}

static void what_is_no_record_is_an_error(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    struct release r;
    static const char *const bad[] = {"", "%%%", "bm90IGpzb24=", "H4sIAAAAAAAA/w==", "W10="};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct error *e = release_decode(&a, bad[i], strlen(bad[i]), &r);
        assert_non_null(e);
        error_free(e);
    }
}

static void a_record_without_compression_is_read_too(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf coded = {0};
    struct release r;
    const char *json = "{\"name\":\"old\",\"info\":{\"status\":\"deployed\",\"first_deployed\":\"2020-01-02T03:04:05.5+01:00\"},\"version\":7}";
    base64_encode(&coded, json, strlen(json));
    assert_no_error(release_decode(&a, coded.data, coded.len, &r));
    assert_int_equal(r.version, 7);
    assert_int_equal(r.status, RELEASE_DEPLOYED);
    assert_string_equal(release_time(&a, r.first_deployed), "2020-01-02T03:04:05.5+01:00");
    assert_string_equal(release_time(&a, r.deleted), "");
    assert_string_equal(release_chart_name(&a, &r), "MISSING");
}

static struct release *record(struct arena *a, const char *name, int64_t version, enum release_status status) {
    struct release *r = ARENA_NEW(a, struct release);
    *r = (struct release){.name = name, .ns = "ns", .version = version, .first_deployed = go_zero_time, .last_deployed = go_zero_time,
                          .deleted = go_zero_time, .notes = "", .manifest = ""};
    release_set_status(r, status, "");
    return r;
}

static void the_history_is_pruned_but_for_what_is_deployed(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    struct storage s;
    struct release_list all;
    struct release *r;
    struct kube *kube = kube_new(&a, &(struct kube_settings){0});
    assert_no_error(storage_open(&a, kube, "ns", "memory", &s));
    for (int v = 1; v <= 4; v++) assert_no_error(storage_create(&s, record(&a, "x", v, v == 1 ? RELEASE_DEPLOYED : RELEASE_FAILED)));
    s.max_history = 3;
    assert_no_error(storage_create(&s, record(&a, "x", 5, RELEASE_PENDING_UPGRADE)));
    assert_no_error(storage_history(&s, "x", &all));
    release_sort_by_revision(&all);
    assert_int_equal(all.len, 3);
    assert_int_equal(all.items[0]->version, 1);
    assert_int_equal(all.items[1]->version, 4);
    assert_no_error(storage_deployed(&s, "x", &r));
    assert_int_equal(r->version, 1);
    assert_no_error(storage_last(&s, "x", &r));
    assert_true(release_is_pending(r));
    assert_error(storage_create(&s, r), "release: already exists");
    assert_error(storage_get(&s, "x", 2, &r), "release: not found");
    assert_error(storage_history(&s, "y", &all), "release: not found");
    assert_error(storage_history(&s, "no name", &all), "invalid label value");
    kube_free(kube);
}

static void drivers_are_named(void **state UNUSED) {
    cleanup_arena struct arena a = {0};
    struct storage s;
    assert_error(storage_open(&a, NULL, "ns", "sql", &s), "HELM_DRIVER=secret");
    assert_error(storage_open(&a, NULL, "ns", "paper", &s), "unknown driver \"paper\"");
}

static void names_are_those_that_helm_allows(void **state UNUSED) {
    static const char *const good[] = {"a", "a-b.c", "0", "x1.y2"}, *const bad[] = {"", "A", "-a", "a-", "a..b", "a_b", ".a"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) assert_no_error(action_check_name(good[i]));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct error *e = action_check_name(bad[i]);
        assert_non_null(e);
        error_free(e);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_of_helm_survive_reading_and_writing),
        cmocka_unit_test(what_is_no_record_is_an_error),
        cmocka_unit_test(a_record_without_compression_is_read_too),
        cmocka_unit_test(the_history_is_pruned_but_for_what_is_deployed),
        cmocka_unit_test(drivers_are_named),
        cmocka_unit_test(names_are_those_that_helm_allows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

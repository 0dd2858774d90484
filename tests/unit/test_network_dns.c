/* DNS messages: what is asked, what is answered, and input that wants to do harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/str.h"
#include "network/dns_message.h"

static void query(struct buf *b, const char *name, uint16_t type) {
    buf_clear(b);
    dns_query_write(b, 0x1234, name, type, 1232);
}

static void a_query_is_read_as_it_was_written(void **state) {
    (void)state;
    cleanup_buf struct buf b = {0};
    struct dns_question q;
    int rcode;
    query(&b, "Web.Default.svc.cluster.local", DNS_A);
    assert_true(dns_question_parse(b.data, b.len, &q, &rcode));
    assert_string_equal(q.name, "web.default.svc.cluster.local");
    assert_string_equal(q.sent, "Web.Default.svc.cluster.local");
    assert_int_equal(q.type, DNS_A);
    assert_int_equal(q.udp_size, 1232);
}

static void every_truncation_of_a_query_is_refused_without_harm(void **state) {
    (void)state;
    cleanup_buf struct buf b = {0};
    struct dns_question q;
    int rcode;
    query(&b, "a.b.c", DNS_SRV);
    for (size_t n = 0; n < 12 + 7 + 4; n++) {
        char *copy = xmemdup(b.data, n + 1); /* its end is where the sanitizer looks */
        assert_false(dns_question_parse(copy, n, &q, &rcode));
        free(copy);
    }
}

static void compression_that_leads_forwards_or_in_circles_is_refused(void **state) {
    (void)state;
    static const unsigned char bytes[][18] = {{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1}, {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 14, 0, 1, 0, 1}};
    struct dns_question q;
    int rcode;
    for (size_t i = 0; i < ARRAY_LEN(bytes); i++) {
        assert_false(dns_question_parse(bytes[i], sizeof(bytes[i]), &q, &rcode));
        assert_int_equal(rcode, DNS_FORMERR);
    }
}

static void an_answer_that_does_not_fit_is_truncated(void **state) {
    (void)state;
    struct arena a = {0};
    cleanup_buf struct buf b = {0}, out = {0};
    struct dns_question q;
    int rcode;
    query(&b, "many.example", DNS_A);
    assert_true(dns_question_parse(b.data, b.len, &q, &rcode));
    struct dns_answer answer = {.authoritative = true, .answers = {.arena = &a}, .extra = {.arena = &a}};
    for (int i = 0; i < 200; i++) {
        struct dns_record r;
        assert_true(dns_address_record(q.sent, arena_printf(&a, "10.0.0.%d", i), 5, &r));
        dns_records_add(&answer.answers, &r);
    }
    dns_answer_write(&out, &q, &answer, 512);
    assert_true(out.len <= 512);
    assert_true(out.data[2] & 2); /* TC */
    buf_clear(&out);
    dns_answer_write(&out, &q, &answer, 65535);
    struct dns_records back = {.arena = &a};
    assert_true(dns_reply_records(out.data, out.len, &back));
    assert_int_equal(back.len, 200);
    assert_string_equal(back.items[7].name, "many.example");
    assert_int_equal(back.items[7].address[3], 7);
    arena_free(&a);
}

static void damaged_replies_never_read_past_their_end(void **state) {
    (void)state;
    struct arena a = {0};
    cleanup_buf struct buf b = {0}, out = {0};
    struct dns_question q;
    int rcode;
    query(&b, "x.example", DNS_A);
    dns_question_parse(b.data, b.len, &q, &rcode);
    struct dns_answer answer = {.answers = {.arena = &a}, .extra = {.arena = &a}};
    dns_records_add(&answer.answers, &(struct dns_record){.name = q.sent, .type = DNS_CNAME, .ttl = 9, .target = "y.example"});
    dns_answer_write(&out, &q, &answer, 512);
    for (size_t at = 0; at < out.len; at++) {
        for (int bit = 0; bit < 8; bit++) {
            char *copy = xmemdup(out.data, out.len);
            copy[at] = (char)(copy[at] ^ (1 << bit));
            struct dns_reply r;
            struct dns_records l = {.arena = &a};
            dns_reply_parse(copy, out.len, &r);
            dns_reply_records(copy, out.len, &l);
            free(copy);
        }
    }
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_is_read_as_it_was_written),
        cmocka_unit_test(every_truncation_of_a_query_is_refused_without_harm),
        cmocka_unit_test(compression_that_leads_forwards_or_in_circles_is_refused),
        cmocka_unit_test(an_answer_that_does_not_fit_is_truncated),
        cmocka_unit_test(damaged_replies_never_read_past_their_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

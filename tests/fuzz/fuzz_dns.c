/* Messages of DNS clients and of upstream servers. The answer to a question is itself a message that can be read. */
#include "network/dns_message.h"

static void ask(const uint8_t *p, size_t n) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf out = {0};
    struct dns_question q;
    struct dns_reply reply;
    int rcode;
    if (!dns_question_parse(p, n, &q, &rcode)) return;
    struct dns_answer answer = {.authoritative = true, .soa_zone = "cluster.local", .answers = {.arena = &a}, .extra = {.arena = &a}};
    struct dns_record record;
    if (dns_address_record(q.name, "192.0.2.1", 5, &record)) dns_records_add(&answer.answers, &record);
    dns_answer_write(&out, &q, &answer, DNS_UDP_PLAIN);
    if (out.len > DNS_UDP_PLAIN || !dns_reply_parse(out.data, out.len, &reply) || reply.id != q.id) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    cleanup_arena struct arena a = {0};
    struct dns_records records = {.arena = &a};
    struct dns_reply reply;
    ask(p, n);
    if (dns_reply_parse(p, n, &reply)) dns_reply_records(p, n, &records);
    return 0;
}

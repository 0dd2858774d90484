/* DNS messages (RFC 1035, EDNS0 RFC 6891): reading questions and answers, writing answers. Input is hostile: every
 * length and compression pointer is checked. Pure functions. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"

enum { DNS_A = 1, DNS_NS = 2, DNS_CNAME = 5, DNS_SOA = 6, DNS_PTR = 12, DNS_TXT = 16, DNS_AAAA = 28, DNS_SRV = 33, DNS_OPT = 41, DNS_ANY = 255 };
enum { DNS_NOERROR = 0, DNS_FORMERR = 1, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3, DNS_NOTIMP = 4, DNS_REFUSED = 5 };
#define DNS_NAME_MAX 256
#define DNS_UDP_PLAIN 512

struct dns_question {
    uint16_t id, type, class, flags;
    char name[DNS_NAME_MAX]; /* lower case, without the final dot; "" is the root */
    char sent[DNS_NAME_MAX]; /* as sent: answers repeat its case (0x20 randomisation) */
    bool edns;
    uint16_t udp_size; /* what the client takes over UDP */
};
/* False if it is no well-formed query with one question; then `rcode` says what to answer (-1: nothing). */
bool dns_question_parse(const void *p, size_t n, struct dns_question *q, int *rcode);

struct dns_record {
    const char *name;
    uint16_t type;
    uint32_t ttl;
    const char *target;                 /* CNAME, PTR, SRV; TXT: the text */
    uint16_t priority, weight, port;    /* SRV */
    uint8_t address[16];                /* A, AAAA */
};
struct dns_records {
    struct arena *arena;
    struct dns_record *items;
    size_t len, cap;
};
void dns_records_add(struct dns_records *l, const struct dns_record *r);
bool dns_address_record(const char *name, const char *ip, uint32_t ttl, struct dns_record *out); /* false: no address */

struct dns_answer {
    int rcode;
    bool authoritative;
    const char *soa_zone; /* an SOA in the authority section, for empty answers; NULL: none */
    uint32_t soa_serial;
    struct dns_records answers, extra;
};
/* At most `max` bytes: if the answers do not fit, none and the truncation flag. */
void dns_answer_write(struct buf *out, const struct dns_question *q, const struct dns_answer *answer, size_t max);

/* What the forwarder needs of an upstream's message. */
struct dns_reply {
    uint16_t id;
    int rcode;
    bool truncated;
    uint32_t min_ttl;
};
bool dns_reply_parse(const void *p, size_t n, struct dns_reply *r);
/* Its answer records of types A, AAAA and CNAME, appended to `out`. */
bool dns_reply_records(const void *p, size_t n, struct dns_records *out);
void dns_query_write(struct buf *out, uint16_t id, const char *name, uint16_t type, uint16_t udp_size);

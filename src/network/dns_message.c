/* See dns_message.h. */
#include "network/dns_message.h"
#include "base/str.h"
#include <arpa/inet.h>
#include <ctype.h>

enum { FLAG_QR = 0x8000, FLAG_AA = 0x0400, FLAG_TC = 0x0200, FLAG_RD = 0x0100, FLAG_RA = 0x0080, CLASS_IN = 1 };

struct reader {
    const uint8_t *start, *at, *end;
    bool bad;
};

static uint16_t read16(struct reader *r) {
    if (r->end - r->at < 2) return r->bad = true, 0;
    r->at += 2;
    return (uint16_t)(r->at[-2] << 8 | r->at[-1]);
}

static uint32_t read32(struct reader *r) {
    uint32_t high = read16(r);
    return high << 16 | read16(r);
}

/* A name with compression; each pointer must lead backwards, so the walk ends. */
static void read_name(struct reader *r, char out[DNS_NAME_MAX]) {
    const uint8_t *at = r->at, *limit = r->at;
    size_t len = 0;
    bool jumped = false;
    out[0] = '\0';
    for (;;) {
        if (at >= r->end) break;
        uint8_t n = *at++;
        if (n == 0) {
            if (!jumped) r->at = at;
            return;
        }
        if ((n & 0xc0) == 0xc0) {
            if (at >= r->end) break;
            const uint8_t *to = r->start + ((n & 0x3f) << 8 | *at++);
            if (!jumped) r->at = at;
            jumped = true;
            if (to >= limit) break;
            at = limit = to;
            continue;
        }
        if (n > 63 || at + n > r->end || len + n + 2 > DNS_NAME_MAX) break;
        if (len > 0) out[len++] = '.';
        memcpy(out + len, at, n);
        if (memchr(at, 0, n) != NULL || memchr(at, '.', n) != NULL) break;
        len += n;
        out[len] = '\0';
        at += n;
    }
    r->bad = true;
}

static void to_lower(char *out, const char *in) {
    do *out++ = (char)tolower((unsigned char)*in);
    while (*in++ != '\0');
}

bool dns_question_parse(const void *p, size_t n, struct dns_question *q, int *rcode) {
    struct reader r = {p, p, (const uint8_t *)p + n, false};
    memset(q, 0, sizeof(*q));
    q->id = read16(&r);
    q->flags = read16(&r);
    uint16_t questions = read16(&r), answers = read16(&r), authorities = read16(&r), extras = read16(&r);
    *rcode = -1;
    if (r.bad || (q->flags & FLAG_QR)) return false; /* too short to answer, or an answer */
    *rcode = (q->flags >> 11 & 15) != 0 ? DNS_NOTIMP : DNS_FORMERR;
    if (*rcode == DNS_NOTIMP || questions != 1 || answers != 0 || authorities != 0) return false;
    read_name(&r, q->sent);
    to_lower(q->name, q->sent);
    q->type = read16(&r);
    q->class = read16(&r);
    q->udp_size = DNS_UDP_PLAIN;
    for (uint16_t i = 0; i < extras && !r.bad; i++) {
        char name[DNS_NAME_MAX];
        read_name(&r, name);
        uint16_t type = read16(&r), size = read16(&r);
        read32(&r);
        uint16_t length = read16(&r);
        if (r.bad || r.end - r.at < length) break;
        r.at += length;
        if (type != DNS_OPT) continue;
        q->edns = true;
        q->udp_size = MAX(size, DNS_UDP_PLAIN);
    }
    return !r.bad;
}

void dns_records_add(struct dns_records *l, const struct dns_record *r) {
    if (l->len == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 8;
        l->items = arena_grow(l->arena, l->items, l->cap * sizeof(*l->items), cap * sizeof(*l->items));
        l->cap = cap;
    }
    l->items[l->len++] = *r;
}

bool dns_address_record(const char *name, const char *ip, uint32_t ttl, struct dns_record *out) {
    *out = (struct dns_record){.name = name, .ttl = ttl, .type = strchr(ip, ':') ? DNS_AAAA : DNS_A};
    return inet_pton(out->type == DNS_A ? AF_INET : AF_INET6, ip, out->address) == 1;
}

/* ---- writing ---- */

static void write16(struct buf *b, unsigned v) {
    buf_addc(b, (char)(v >> 8));
    buf_addc(b, (char)v);
}

static void write32(struct buf *b, uint32_t v) {
    write16(b, v >> 16);
    write16(b, v & 0xffff);
}

/* `question` (may be NULL) is the name at offset 12, which most names end with or are. */
static void write_name(struct buf *b, const char *name, const char *question) {
    while (*name != '\0') {
        if (question != NULL && strcasecmp(name, question) == 0) return write16(b, 0xc000 | 12);
        size_t n = strcspn(name, ".");
        n = MIN(n, 63);
        buf_addc(b, (char)n);
        buf_add(b, name, n);
        name += n;
        if (*name == '.') name++;
    }
    buf_addc(b, 0);
}

static void write_data(struct buf *b, const struct dns_record *r) {
    switch (r->type) {
    case DNS_A: buf_add(b, r->address, 4); break;
    case DNS_AAAA: buf_add(b, r->address, 16); break;
    case DNS_SRV:
        write16(b, r->priority);
        write16(b, r->weight);
        write16(b, r->port);
        write_name(b, r->target, NULL);
        break;
    case DNS_TXT:
        buf_addc(b, (char)strlen(r->target));
        buf_adds(b, r->target);
        break;
    default: write_name(b, r->target, NULL);
    }
}

static void patch_length(struct buf *b, size_t at) {
    size_t n = b->len - at - 2;
    b->data[at] = (char)(n >> 8);
    b->data[at + 1] = (char)n;
}

static void write_record(struct buf *b, const struct dns_record *r, const char *question) {
    write_name(b, r->name, question);
    write16(b, r->type);
    write16(b, CLASS_IN);
    write32(b, r->ttl);
    size_t at = b->len;
    write16(b, 0);
    write_data(b, r);
    patch_length(b, at);
}

static void write_soa(struct buf *b, const char *zone, uint32_t serial) {
    write_name(b, zone, NULL);
    write16(b, DNS_SOA);
    write16(b, CLASS_IN);
    write32(b, 5);
    size_t at = b->len;
    write16(b, 0);
    buf_adds(b, "\2ns\3dns");
    write_name(b, zone, NULL);
    buf_adds(b, "\12hostmaster");
    write_name(b, zone, NULL);
    const uint32_t times[] = {serial, 7200, 1800, 86400, 5}; /* refresh, retry, expire, negative TTL */
    for (size_t i = 0; i < ARRAY_LEN(times); i++) write32(b, times[i]);
    patch_length(b, at);
}

static void write_header(struct buf *b, const struct dns_question *q, const struct dns_answer *a, bool truncated, size_t answers, size_t extra) {
    write16(b, q->id);
    write16(b, (unsigned)(FLAG_QR | (q->flags & (FLAG_RD | 0x7800)) | FLAG_RA | (a->authoritative ? FLAG_AA : 0) | (truncated ? FLAG_TC : 0) | a->rcode));
    write16(b, 1);
    write16(b, (unsigned)answers);
    write16(b, a->soa_zone != NULL);
    write16(b, (unsigned)extra);
    write_name(b, q->sent, NULL);
    write16(b, q->type);
    write16(b, q->class);
}

static void write_opt(struct buf *b) {
    buf_addc(b, 0);
    write16(b, DNS_OPT);
    write16(b, 4096);
    write32(b, 0);
    write16(b, 0);
}

static void write_all(struct buf *b, const struct dns_question *q, const struct dns_answer *a, bool answers, bool extra) {
    write_header(b, q, a, !answers && a->answers.len > 0, answers ? a->answers.len : 0, (extra ? a->extra.len : 0) + (q->edns ? 1 : 0));
    for (size_t i = 0; answers && i < a->answers.len; i++) write_record(b, &a->answers.items[i], q->sent);
    if (a->soa_zone != NULL) write_soa(b, a->soa_zone, a->soa_serial);
    for (size_t i = 0; extra && i < a->extra.len; i++) write_record(b, &a->extra.items[i], q->sent);
    if (q->edns) write_opt(b);
}

void dns_answer_write(struct buf *out, const struct dns_question *q, const struct dns_answer *a, size_t max) {
    size_t start = out->len;
    for (int less = 0; less < 3; less++) { /* everything; without the additional section; truncated */
        out->len = start;
        write_all(out, q, a, less < 2, less < 1);
        if (out->len - start <= max) return;
    }
}

void dns_query_write(struct buf *out, uint16_t id, const char *name, uint16_t type, uint16_t udp_size) {
    write16(out, id);
    write16(out, FLAG_RD);
    write16(out, 1);
    write32(out, 0);
    write16(out, 1);
    write_name(out, name, NULL);
    write16(out, type);
    write16(out, CLASS_IN);
    buf_addc(out, 0);
    write16(out, DNS_OPT);
    write16(out, udp_size);
    write32(out, 0);
    write16(out, 0);
}

/* ---- upstream's answers ---- */

struct record_header {
    char name[DNS_NAME_MAX];
    uint16_t type, length;
    uint32_t ttl;
};

static bool read_record(struct reader *r, struct record_header *h) {
    read_name(r, h->name);
    h->type = read16(r);
    read16(r);
    h->ttl = read32(r);
    h->length = read16(r);
    return !r->bad && r->end - r->at >= h->length;
}

static struct reader open_reply(const void *p, size_t n, uint16_t counts[4], uint16_t *id, uint16_t *flags) {
    struct reader r = {p, p, (const uint8_t *)p + n, false};
    *id = read16(&r);
    *flags = read16(&r);
    for (int i = 0; i < 4; i++) counts[i] = read16(&r);
    for (uint16_t i = 0; i < counts[0] && !r.bad; i++) {
        char name[DNS_NAME_MAX];
        read_name(&r, name);
        read32(&r);
    }
    return r;
}

bool dns_reply_parse(const void *p, size_t n, struct dns_reply *out) {
    uint16_t counts[4], flags;
    struct reader r = open_reply(p, n, counts, &out->id, &flags);
    out->rcode = flags & 15;
    out->truncated = (flags & FLAG_TC) != 0;
    out->min_ttl = 30; /* CoreDNS's cap for what it caches in a cluster */
    for (int i = 0; i < counts[1] + counts[2] && !r.bad; i++) {
        struct record_header h;
        if (!read_record(&r, &h)) break;
        out->min_ttl = MIN(out->min_ttl, h.ttl);
        r.at += h.length;
    }
    return !r.bad && (flags & FLAG_QR) != 0;
}

bool dns_reply_records(const void *p, size_t n, struct dns_records *out) {
    uint16_t counts[4], flags, id;
    struct reader r = open_reply(p, n, counts, &id, &flags);
    for (uint16_t i = 0; i < counts[1] && !r.bad; i++) {
        struct record_header h;
        if (!read_record(&r, &h)) return false;
        const uint8_t *next = r.at + h.length;
        struct dns_record record = {.name = arena_strdup(out->arena, h.name), .type = h.type, .ttl = h.ttl};
        if (h.type == DNS_CNAME) {
            char target[DNS_NAME_MAX];
            read_name(&r, target);
            record.target = arena_strdup(out->arena, target);
            dns_records_add(out, &record);
        } else if ((h.type == DNS_A && h.length == 4) || (h.type == DNS_AAAA && h.length == 16)) {
            memcpy(record.address, r.at, h.length);
            dns_records_add(out, &record);
        }
        r.at = next;
    }
    return !r.bad;
}

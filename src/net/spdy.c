#include "net/spdy.h"
#include "base/buf.h"
#include <zlib.h>

enum type { SYN_STREAM = 1, SYN_REPLY = 2, RST_STREAM = 3, SETTINGS = 4, PING = 6, GOAWAY = 7, HEADERS = 8, WINDOW_UPDATE = 9 };
enum status { PROTOCOL_ERROR = 1, REFUSED_STREAM = 3, CANCEL = 5 };
#define FLAG_FIN 1
#define HEAD 8 /* bytes before a frame's payload */
#define MAX_CONTROL (64 * 1024)
#define MAX_HEADERS (64 * 1024) /* decompressed */
#define MAX_STREAMS 1024
#define MAX_PAIRS 64

struct spdy_stream {
    struct spdy *session;
    struct spdy_stream *next;
    uint32_t id;
    bool ended, peer_ended, accepted;
    struct spdy_stream_callbacks cb;
    void *arg;
};

struct spdy {
    struct spdy_callbacks cb;
    bool server;
    uint32_t next_id, last_peer_id;
    struct spdy_stream *streams;
    size_t count;
    z_stream deflate, inflate; /* one compression context per direction for the connection's whole life */
    struct buf head;           /* of the frame under way, and a control frame's payload */
    size_t left;               /* of a data frame's payload */
    uint32_t data_id;
    bool data_fin;
};

/* What header blocks are compressed with: these words, each with its length before it, and then this text. */
static const char dictionary_words[] =
    "options\nhead\npost\nput\ndelete\ntrace\naccept\naccept-charset\naccept-encoding\naccept-language\naccept-ranges\n"
    "age\nallow\nauthorization\ncache-control\nconnection\ncontent-base\ncontent-encoding\ncontent-language\n"
    "content-length\ncontent-location\ncontent-md5\ncontent-range\ncontent-type\ndate\netag\nexpect\nexpires\nfrom\nhost\n"
    "if-match\nif-modified-since\nif-none-match\nif-range\nif-unmodified-since\nlast-modified\nlocation\nmax-forwards\n"
    "pragma\nproxy-authenticate\nproxy-authorization\nrange\nreferer\nretry-after\nserver\nte\ntrailer\ntransfer-encoding\n"
    "upgrade\nuser-agent\nvary\nvia\nwarning\nwww-authenticate\nmethod\nget\nstatus\n200 OK\nversion\nHTTP/1.1\nurl\n"
    "public\nset-cookie\nkeep-alive\norigin\n";
static const char dictionary_tail[] =
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritativ"
    "e Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 I"
    "nternal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec"
    " 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xm"
    "l,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset="
    "iso-8859-1,utf-,*,enq=0.";

static void dictionary_make(struct buf *out) {
    for (const char *word = dictionary_words, *end; (end = strchr(word, '\n')) != NULL; word = end + 1) {
        size_t n = (size_t)(end - word);
        buf_add(out, (const char[]){0, 0, 0, (char)n}, 4);
        buf_add(out, word, n);
    }
    buf_adds(out, dictionary_tail);
}

static uint32_t get32(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

static void put32(struct buf *out, uint32_t v) {
    buf_add(out, (const uint8_t[]){(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v}, 4);
}

/* ---- sending ---- */

static void send_control(struct spdy *s, enum type type, unsigned flags, const struct buf *payload) {
    cleanup_buf struct buf frame = {0};
    put32(&frame, 0x80030000u | type);
    put32(&frame, flags << 24 | (uint32_t)payload->len);
    buf_add(&frame, payload->data, payload->len);
    s->cb.send(frame.data, frame.len, s->cb.arg);
}

static void send_words(struct spdy *s, enum type type, uint32_t a, uint32_t b, size_t count) {
    cleanup_buf struct buf payload = {0};
    put32(&payload, a);
    if (count > 1) put32(&payload, b);
    send_control(s, type, 0, &payload);
}

static void send_data(struct spdy *s, uint32_t id, unsigned flags, const void *p, size_t n) {
    cleanup_buf struct buf head = {0};
    put32(&head, id);
    put32(&head, flags << 24 | (uint32_t)n);
    s->cb.send(head.data, head.len, s->cb.arg);
    if (n > 0) s->cb.send(p, n, s->cb.arg);
}

static void compress_headers(struct spdy *s, const struct http_header *headers, size_t count, struct buf *out) {
    cleanup_buf struct buf plain = {0};
    put32(&plain, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        const char *const both[] = {headers[i].name, headers[i].value};
        for (size_t j = 0; j < 2; j++) {
            put32(&plain, (uint32_t)strlen(both[j]));
            buf_adds(&plain, both[j]);
        }
    }
    z_stream *z = &s->deflate;
    z->next_in = (uint8_t *)plain.data;
    z->avail_in = (unsigned)plain.len;
    do {
        uint8_t chunk[4096];
        z->next_out = chunk;
        z->avail_out = sizeof chunk;
        deflate(z, Z_SYNC_FLUSH);
        buf_add(out, chunk, sizeof chunk - z->avail_out);
    } while (z->avail_out == 0);
}

/* ---- streams ---- */

static struct spdy_stream *find(struct spdy *s, uint32_t id) {
    struct spdy_stream *t = s->streams;
    while (t != NULL && t->id != id) t = t->next;
    return t;
}

static void drop(struct spdy_stream *t) {
    struct spdy_stream **link = &t->session->streams;
    while (*link != t) link = &(*link)->next;
    *link = t->next;
    t->session->count--;
    free(t);
}

static struct spdy_stream *add(struct spdy *s, uint32_t id) {
    struct spdy_stream *t = xcalloc(1, sizeof *t);
    *t = (struct spdy_stream){.session = s, .next = s->streams, .id = id};
    s->streams = t;
    s->count++;
    return t;
}

struct spdy_stream *spdy_open(struct spdy *s, const struct http_header *headers, size_t count,
                              const struct spdy_stream_callbacks *cb, void *arg) {
    struct spdy_stream *t = add(s, s->next_id);
    s->next_id += 2;
    t->accepted = true;
    t->cb = *cb;
    t->arg = arg;
    cleanup_buf struct buf payload = {0};
    put32(&payload, t->id);
    put32(&payload, 0);
    buf_add(&payload, "\0\0", 2);
    compress_headers(s, headers, count, &payload);
    send_control(s, SYN_STREAM, 0, &payload);
    return t;
}

void spdy_accept(struct spdy_stream *t, const struct spdy_stream_callbacks *cb, void *arg) {
    t->accepted = true;
    t->cb = *cb;
    t->arg = arg;
    cleanup_buf struct buf payload = {0};
    put32(&payload, t->id);
    compress_headers(t->session, NULL, 0, &payload);
    send_control(t->session, SYN_REPLY, 0, &payload);
}

void spdy_write(struct spdy_stream *t, const void *p, size_t n) {
    for (const char *at = p; n > 0 && !t->ended;) {
        size_t part = MIN(n, (size_t)0xffffff);
        send_data(t->session, t->id, 0, at, part);
        at += part;
        n -= part;
    }
}

void spdy_end(struct spdy_stream *t) {
    if (t->ended) return;
    t->ended = true;
    send_data(t->session, t->id, FLAG_FIN, NULL, 0);
    if (t->peer_ended) drop(t);
}

void spdy_reset(struct spdy_stream *t) {
    send_words(t->session, RST_STREAM, t->id, t->accepted ? CANCEL : REFUSED_STREAM, 2);
    drop(t);
}

/* ---- receiving ---- */

static struct error *inflate_block(struct spdy *s, const uint8_t *p, size_t n, struct buf *out) {
    z_stream *z = &s->inflate;
    z->next_in = (uint8_t *)(uintptr_t)p;
    z->avail_in = (unsigned)n;
    for (;;) {
        uint8_t chunk[4096];
        z->next_out = chunk;
        z->avail_out = sizeof chunk;
        int r = inflate(z, Z_SYNC_FLUSH);
        buf_add(out, chunk, sizeof chunk - z->avail_out);
        if (out->overflow) return error_new("spdy: headers of more than %d bytes", MAX_HEADERS);
        if (r == Z_NEED_DICT) {
            cleanup_buf struct buf dictionary = {0};
            dictionary_make(&dictionary);
            r = inflateSetDictionary(z, (const uint8_t *)dictionary.data, (unsigned)dictionary.len);
        } else if (r == Z_BUF_ERROR || (r == Z_OK && z->avail_in == 0 && z->avail_out > 0)) return NULL;
        if (r != Z_OK) return error_new("spdy: invalid header compression");
    }
}

/* A string with its length before it; NULL if it is cut. */
static const char *get_string(struct arena *a, const uint8_t **p, const uint8_t *end) {
    if (end - *p < 4) return NULL;
    uint32_t n = get32(*p);
    *p += 4;
    if (n > (size_t)(end - *p)) return NULL;
    const char *s = arena_strndup(a, (const char *)*p, n);
    *p += n;
    return s;
}

static struct error *get_headers(struct spdy *s, struct arena *a, const uint8_t *p, size_t n, struct http_header *out,
                                 size_t *count) {
    cleanup_buf struct buf plain = {.max = MAX_HEADERS};
    TRY(inflate_block(s, p, n, &plain));
    const uint8_t *at = (const uint8_t *)buf_str(&plain), *end = at + plain.len;
    *count = plain.len < 4 ? 0 : get32(at);
    at += MIN(plain.len, 4);
    if (*count > MAX_PAIRS) return error_new("spdy: more than %d headers", MAX_PAIRS);
    for (size_t i = 0; i < *count; i++) {
        out[i].name = get_string(a, &at, end);
        out[i].value = out[i].name != NULL ? get_string(a, &at, end) : NULL;
        if (out[i].value == NULL) return error_new("spdy: truncated headers");
    }
    return NULL;
}

static void end_of_peer(struct spdy_stream *t) {
    bool last = t->ended;
    t->peer_ended = true;
    if (t->cb.data != NULL) t->cb.data(t, NULL, 0, t->arg);
    if (last) drop(t);
}

static struct error *on_syn_stream(struct spdy *s, const uint8_t *p, size_t n, unsigned flags) {
    cleanup_arena struct arena a = {0};
    struct http_header headers[MAX_PAIRS];
    size_t count;
    if (n < 10) return error_new("spdy: short SYN_STREAM");
    uint32_t id = get32(p) & 0x7fffffff;
    TRY(get_headers(s, &a, p + 10, n - 10, headers, &count));
    if (id <= s->last_peer_id || id % 2 != (s->server ? 1 : 0)) return error_new("spdy: invalid stream id %u", id);
    s->last_peer_id = id;
    if (s->cb.opened == NULL || s->count >= MAX_STREAMS) {
        send_words(s, RST_STREAM, id, REFUSED_STREAM, 2);
        return NULL;
    }
    s->cb.opened(add(s, id), headers, count, s->cb.arg);
    struct spdy_stream *t = find(s, id);
    if (t != NULL && (flags & FLAG_FIN) != 0) end_of_peer(t);
    return NULL;
}

/* SYN_REPLY and HEADERS: the headers say nothing here, but the compression context must see them. */
static struct error *on_headers(struct spdy *s, const uint8_t *p, size_t n, unsigned flags) {
    cleanup_arena struct arena a = {0};
    struct http_header headers[MAX_PAIRS];
    size_t count;
    if (n < 4) return error_new("spdy: short frame");
    TRY(get_headers(s, &a, p + 4, n - 4, headers, &count));
    struct spdy_stream *t = find(s, get32(p) & 0x7fffffff);
    if (t != NULL && (flags & FLAG_FIN) != 0 && !t->peer_ended) end_of_peer(t);
    return NULL;
}

static void on_reset(struct spdy *s, const uint8_t *p) {
    struct spdy_stream *t = find(s, get32(p) & 0x7fffffff);
    if (t == NULL) return;
    if (t->cb.reset != NULL) t->cb.reset(t, get32(p + 4), t->arg);
    drop(t);
}

static struct error *on_control(struct spdy *s) {
    const uint8_t *head = (const uint8_t *)s->head.data, *p = head + HEAD;
    unsigned version = get32(head) >> 16 & 0x7fff, type = get32(head) & 0xffff, flags = head[4];
    size_t n = s->head.len - HEAD;
    if (version != 3) return error_new("spdy: unsupported version %u", version);
    switch (type) {
    case SYN_STREAM: return on_syn_stream(s, p, n, flags);
    case SYN_REPLY:
    case HEADERS: return on_headers(s, p, n, flags);
    case RST_STREAM:
        if (n >= 8) on_reset(s, p);
        return NULL;
    case PING: /* ids of the peer's parity are questions, the others answers */
        if (n >= 4 && get32(p) % 2 == (s->server ? 1 : 0)) send_words(s, PING, get32(p), 0, 1);
        return NULL;
    case GOAWAY:
        if (s->cb.gone != NULL) s->cb.gone(s->cb.arg);
        return NULL;
    default: return NULL; /* SETTINGS, WINDOW_UPDATE and what else there may be */
    }
}

static void on_data(struct spdy *s, const uint8_t *p, size_t n) {
    struct spdy_stream *t = find(s, s->data_id);
    if (t != NULL && n > 0 && !t->peer_ended && t->cb.data != NULL) t->cb.data(t, p, n, t->arg);
    s->left -= n;
    if (s->left > 0 || !s->data_fin) return;
    t = find(s, s->data_id);
    if (t != NULL && !t->peer_ended) end_of_peer(t);
}

/* Begins a frame whose head is complete; true if it is a control frame, whose payload is still to be collected. */
static struct error *begin_frame(struct spdy *s, size_t *wanted) {
    const uint8_t *head = (const uint8_t *)s->head.data;
    size_t n = get32(head + 4) & 0xffffff;
    *wanted = HEAD;
    if ((head[0] & 0x80) != 0) {
        *wanted += n;
        return n > MAX_CONTROL ? error_new("spdy: control frame of %zu bytes", n) : NULL;
    }
    s->data_id = get32(head);
    s->data_fin = (head[4] & FLAG_FIN) != 0;
    s->left = n;
    return NULL;
}

static size_t collect(struct buf *b, size_t wanted, const uint8_t *p, size_t n) {
    size_t part = MIN(n, wanted - b->len);
    buf_add(b, p, part);
    return part;
}

struct error *spdy_input(struct spdy *s, const void *bytes, size_t n) {
    for (const uint8_t *p = bytes, *end = p + n; p < end;) {
        if (s->left > 0) {
            size_t part = MIN(s->left, (size_t)(end - p));
            on_data(s, p, part);
            p += part;
            continue;
        }
        size_t wanted = HEAD;
        if (s->head.len < HEAD) p += collect(&s->head, HEAD, p, (size_t)(end - p));
        if (s->head.len < HEAD) return NULL;
        TRY(begin_frame(s, &wanted));
        p += collect(&s->head, wanted, p, (size_t)(end - p));
        if (s->head.len < wanted) return NULL;
        bool control = (s->head.data[0] & 0x80) != 0;
        if (control) TRY(on_control(s));
        buf_clear(&s->head);
        if (!control && s->left == 0) on_data(s, NULL, 0);
    }
    return NULL;
}

/* ---- sessions ---- */

struct spdy *spdy_new(bool server, const struct spdy_callbacks *cb) {
    struct spdy *s = xcalloc(1, sizeof *s);
    *s = (struct spdy){.cb = *cb, .server = server, .next_id = server ? 2 : 1};
    cleanup_buf struct buf dictionary = {0};
    dictionary_make(&dictionary);
    if (deflateInit2(&s->deflate, Z_BEST_SPEED, Z_DEFLATED, 11, 4, Z_DEFAULT_STRATEGY) != Z_OK ||
        inflateInit(&s->inflate) != Z_OK)
        abort();
    deflateSetDictionary(&s->deflate, (const uint8_t *)dictionary.data, (unsigned)dictionary.len);
    return s;
}

void spdy_goaway(struct spdy *s) { send_words(s, GOAWAY, s->last_peer_id, 0, 2); }

void spdy_free(struct spdy *s) {
    if (s == NULL) return;
    while (s->streams != NULL) {
        struct spdy_stream *t = s->streams;
        if (t->cb.reset != NULL) t->cb.reset(t, CANCEL, t->arg);
        drop(t);
    }
    deflateEnd(&s->deflate);
    inflateEnd(&s->inflate);
    buf_free(&s->head);
    free(s);
}

/* From an answer to bytes: encoding, compression, headers. */
#include "apiserver/internal.h"
#include "apiserver/table.h"
#include <zlib.h>

#define GZIP_MIN (128 * 1024)
#define MAX_HEADERS 64

void request_warn(struct request *r, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    const char *text = arena_vprintf(r->arena, fmt, args);
    va_end(args);
    JSON_EACH(w, (&(struct json){.type = JSON_ARRAY, .len = (uint32_t)r->warnings.len, .items = r->warnings.items})) {
        if (json_str_is(w, NULL, text)) return;
    }
    json_array_add(&r->warnings, json_string(r->arena, text));
}

void answer_json(struct request *r, int code, const struct json *v) { r->answer.code = code, r->answer.json = v; }
void answer_doc(struct request *r, int code, struct doc *d) { r->answer.code = code, r->answer.doc = d; }

void answer_text(struct request *r, int code, const char *text) {
    r->answer.code = code;
    r->answer.text = text;
    r->answer.text_len = strlen(text);
    r->answer.content_type = "text/plain; charset=utf-8";
}

/* ---- headers ---- */

struct head {
    struct http_header items[MAX_HEADERS];
    size_t len;
};

static void head_add(struct head *h, const char *name, const char *value) {
    if (h->len < MAX_HEADERS) h->items[h->len++] = (struct http_header){name, value};
}

/* RFC 7234: 299 - "text", quotes and backslashes escaped, control characters dropped. */
static const char *warning_value(struct arena *a, const char *text) {
    struct buf b = {0};
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\') buf_addc(&b, '\\');
        if ((unsigned char)*p >= 32) buf_addc(&b, *p);
    }
    const char *out = arena_printf(a, "299 - \"%s\"", buf_str(&b));
    buf_free(&b);
    return out;
}

static void common_headers(struct request *r, struct head *h, const char *content_type) {
    head_add(h, "audit-id", r->audit_id);
    head_add(h, "cache-control", "no-cache, private");
    if (content_type) head_add(h, "content-type", content_type);
    if (r->answer.no_sniff) head_add(h, "x-content-type-options", "nosniff");
    if (r->answer.location) head_add(h, "location", r->answer.location);
    flow_headers(r, h, (void (*)(void *, const char *, const char *))head_add);
    for (size_t i = 0; i < r->warnings.len; i++)
        head_add(h, "warning", warning_value(r->arena, json_str(&r->warnings.items[i], NULL)));
}

size_t respond_headers(struct request *r, const char *content_type, struct http_header *out, size_t max) {
    struct head h = {0};
    common_headers(r, &h, content_type);
    size_t n = MIN(h.len, max);
    memcpy(out, h.items, n * sizeof(*out));
    return n;
}

/* ---- bytes ---- */

static bool gzip(const char *p, size_t n, struct buf *out) {
    z_stream z = {0};
    if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return false;
    buf_reserve(out, deflateBound(&z, n));
    z.next_in = (Bytef *)(uintptr_t)p;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)out->data;
    z.avail_out = (uInt)out->cap;
    int result = deflate(&z, Z_FINISH);
    out->len = z.total_out;
    deflateEnd(&z);
    return result == Z_STREAM_END;
}

static bool wants_gzip(const struct request *r, size_t n) {
    const char *accept = http_header(r->x, "accept-encoding");
    return n > GZIP_MIN && n < UINT32_MAX / 2 && accept && strstr(accept, "gzip");
}

static void release_free(void *p) { free(p); }

static void send_bytes(struct request *r, int code, const char *content_type, struct buf *body) {
    struct head h = {0};
    common_headers(r, &h, content_type);
    struct buf zipped = {0};
    if (wants_gzip(r, body->len) && gzip(body->data, body->len, &zipped)) {
        head_add(&h, "content-encoding", "gzip");
        head_add(&h, "vary", "Accept-Encoding");
        buf_free(body);
        *body = zipped;
    }
    int retry_after = r->error ? r->error->retry_after : r->answer.retry_after;
    if (retry_after) head_add(&h, "retry-after", arena_printf(r->arena, "%d", retry_after));
    size_t len = body->len;
    char *bytes = buf_take(body);
    http_reply(r->x, code, h.items, h.len, bytes, len, release_free, bytes);
}

static void add_newline(struct buf *b) {
    if (b->len == 0 || b->data[b->len - 1] != '\n') buf_addc(b, '\n');
}

/* A value in the negotiated form. `type` is needed for protobuf. */
static void encode_value(const struct negotiated *n, struct arena *a, const struct type *type, const struct json *v, struct buf *out) {
    if (n->media == MEDIA_YAML) return yaml_encode(out, v);
    if (n->media == MEDIA_PROTOBUF && type) {
        cleanup_error struct error *e = schema_pb_encode(a, type, v, out);
        if (e == NULL) return;
    }
    n->pretty ? json_encode_pretty(out, v, "  ") : json_encode(out, v);
    add_newline(out);
}

static const struct type *value_type(const struct json *v) {
    const char *version = json_str_or(v, "apiVersion", ""), *kind = json_str_or(v, "kind", "");
    const char *slash = strchr(version, '/');
    char name[160], group[96];
    if (slash == NULL) {
        bool meta = strcmp(kind, "Status") == 0 || str_starts(kind, "API");
        snprintf(name, sizeof(name), "%s/v1/%s", meta ? "meta" : "core", kind);
        const struct type *t = type_find(name);
        if (t) return t;
        snprintf(name, sizeof(name), "meta/v1/%s", kind);
        return type_find(name);
    }
    snprintf(group, sizeof(group), "%.*s", (int)(slash - version), version);
    const struct resource *res = resource_find_kind(group, slash + 1, kind);
    if (res) return res->type;
    snprintf(name, sizeof(name), "%s/%s/%s", strcmp(group, "meta.k8s.io") == 0 ? "meta" : group, slash + 1, kind);
    return type_find(name);
}

/* An answer whose object has not been stored as bytes: encoded here. */
static void send_value(struct request *r, int code, const struct json *v) {
    struct buf body = {0};
    const struct type *type = r->accept.media == MEDIA_PROTOBUF ? value_type(v) : NULL;
    if (r->accept.media == MEDIA_PROTOBUF && type == NULL) r->accept.media = MEDIA_JSON, r->accept.content_type = "application/json";
    encode_value(&r->accept, r->arena, type, v, &body);
    send_bytes(r, code, r->accept.content_type, &body);
}

static void send_doc(struct request *r) {
    struct doc *d = r->answer.doc;
    if (r->accept.media != MEDIA_JSON || r->accept.pretty) return send_value(r, r->answer.code, d->root);
    const struct doc_bytes *bytes = doc_encoded(d);
    struct buf body = {0};
    buf_reserve(&body, bytes->len + 2);
    buf_add(&body, bytes->data, bytes->len);
    buf_addc(&body, '\n');
    send_bytes(r, r->answer.code, "application/json", &body);
}

/* ---- lists ---- */

static const struct json *list_meta(struct request *r, const struct list_answer *l) {
    struct json_object m = {.arena = r->arena};
    json_object_add(&m, "resourceVersion", json_strf(r->arena, "%llu", (unsigned long long)l->revision));
    if (l->continue_token || (l->resource->crd && r->accept.as == AS_IS)) json_object_add(&m, "continue", json_string(r->arena, l->continue_token ? l->continue_token : ""));
    if (l->remaining >= 0) json_object_add(&m, "remainingItemCount", json_integer(r->arena, l->remaining));
    return json_object_done(&m);
}

const struct json *list_answer_json(struct request *r, const struct list_answer *l) {
    struct json_array items = {.arena = r->arena};
    for (size_t i = 0; i < l->len; i++) {
        const struct json *o = l->docs[i]->root;
        if (!l->resource->crd) o = json_without_member(r->arena, json_without_member(r->arena, o, "kind"), "apiVersion");
        json_array_add(&items, o);
    }
    return json_make(r->arena, "{'kind':%s,'apiVersion':%s,'metadata':%v,'items':%v}", l->resource->list_kind,
                     api_version(r->arena, l->resource), list_meta(r, l), json_array_done(&items));
}

/* The encoded items one after another: built-in items go without their kind and version, which stand first. */
static void send_list_json(struct request *r, const struct list_answer *l) {
    struct buf body = {0};
    const char *version = api_version(r->arena, l->resource);
    buf_printf(&body, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":", l->resource->list_kind, version);
    json_encode(&body, list_meta(r, l));
    buf_adds(&body, ",\"items\":[");
    const char *head = arena_printf(r->arena, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",", l->resource->kind, version);
    size_t head_len = strlen(head), total = 0;
    for (size_t i = 0; i < l->len; i++) total += doc_encoded(l->docs[i])->len + 1;
    buf_reserve(&body, total + 4);
    for (size_t i = 0; i < l->len; i++) {
        const struct doc_bytes *b = doc_encoded(l->docs[i]);
        bool cut = !l->resource->crd && b->len > head_len && memcmp(b->data, head, head_len) == 0;
        if (i > 0) buf_addc(&body, ',');
        if (cut) buf_addc(&body, '{');
        buf_add(&body, b->data + (cut ? head_len : 0), b->len - (cut ? head_len : 0));
    }
    buf_adds(&body, "]}\n");
    send_bytes(r, 200, "application/json", &body);
}

static void send_list(struct request *r, const struct list_answer *l) {
    if (r->accept.as == AS_IS && r->accept.media == MEDIA_JSON && !r->accept.pretty) return send_list_json(r, l);
    const struct json *v;
    if (r->accept.as == AS_TABLE) v = table_of_list(r, l, list_meta(r, l));
    else if (r->accept.as == AS_METADATA) v = metadata_of_list(r, l, list_meta(r, l));
    else v = list_answer_json(r, l);
    if (r->accept.media != MEDIA_PROTOBUF || r->accept.as != AS_IS) return send_value(r, 200, v);
    struct buf body = {0};
    encode_value(&r->accept, r->arena, l->resource->list_type, v, &body);
    send_bytes(r, 200, r->accept.content_type, &body);
}

/* ---- errors ---- */

/* Go errors that are no API status have no reason. */
const struct json *status_value(struct arena *a, const struct error *e) {
    const struct json *v = status_json(a, e);
    return json_str_is(v, "reason", "") ? json_without_member(a, v, "reason") : v;
}

void respond_error(struct request *r, const struct error *e) {
    struct buf body = {0};
    if (e->reason == NULL && e->code != 0) {
        buf_adds(&body, e->message);
        return send_bytes(r, e->code, "text/plain; charset=utf-8", &body);
    }
    cleanup_error struct error *refused = negotiate_accept(r, true, true);
    if (refused) r->accept = (struct negotiated){.media = MEDIA_JSON, .content_type = "application/json"};
    r->accept.as = AS_IS;
    const struct json *status = status_value(r->arena, e);
    send_value(r, e->code ? e->code : 500, status);
}

void respond(struct request *r) {
    struct answer *a = &r->answer;
    if (r->error) return respond_error(r, r->error);
    if (a->text) {
        struct buf body = {0};
        buf_add(&body, a->text, a->text_len);
        return send_bytes(r, a->code, a->content_type, &body);
    }
    if (a->list) return send_list(r, a->list);
    bool status = a->doc == NULL || r->resource == NULL || a->no_transform;
    if (!status && r->accept.as == AS_TABLE) return send_value(r, a->code, table_of_object(r, a->doc));
    if (!status && r->accept.as == AS_METADATA) return send_value(r, a->code, metadata_of_object(r, a->doc));
    if (a->doc) return send_doc(r);
    send_value(r, a->code, a->json);
}

/* One request on its way through the stages. Lives in its arena; touched by one thread at a time (a loop's, a worker's or
 * the in-process caller's), handed over by posting. Only `pending` is shared, with the store's thread. */
#pragma once
#include "apiserver/apiserver.h"
#include "base/str.h"

struct request;
struct query_pair { const char *key, *value; };

/* What the client accepts, for one of the ways in which answers are made. */
enum media_type { MEDIA_JSON, MEDIA_YAML, MEDIA_PROTOBUF };
enum convert_to { AS_IS, AS_TABLE, AS_METADATA };
struct negotiated {
    enum media_type media;
    enum convert_to as;
    bool stream_watch;       /* ";stream=watch" was asked for */
    bool pretty;
    bool as_list;            /* PartialObjectMetadataList */
    const char *content_type;
    const char *as_version;  /* "v1", "v1beta1" of as=… */
};

struct answer {
    int code;                   /* 0: not answered yet */
    struct doc *doc;            /* a reference of the answer's own, or */
    const struct json *json;    /* a value in the arena, or */
    struct list_answer *list;   /* a list, or */
    const char *text;           /* plain text, or bytes of content_type */
    size_t text_len;
    const char *content_type;
    void (*start)(struct request *r); /* takes the exchange over, on its loop (a watch, a proxy) */
    void *start_arg, *proxied;  /* connect.c's */
    struct tls_config *tls;     /* a reference that is held until the start */
    const char *location;       /* of a redirection, else NULL */
    bool no_transform;          /* never a table or metadata */
    bool no_sniff;              /* browsers take the content type as it is told */
    int retry_after;            /* seconds, of a refusal; 0: not told */
};
struct list_answer {
    const struct resource *resource;
    struct doc **docs;          /* references of the answer's own */
    size_t len, cap;
    uint64_t revision;
    const char *continue_token; /* NULL at the end */
    int64_t remaining;          /* -1: not given */
};

struct flow_ticket {
    struct flow_level *level;   /* NULL: not sorted */
    struct flow_stats *stats;
    const char *schema_uid, *level_uid;
    bool seated;                /* a seat is held */
};

struct request {
    struct apiserver *server;
    struct arena *arena;
    struct http_exchange *x;    /* NULL for calls in the process */
    int64_t started;            /* monotonic */
    /* route.c */
    const char *method, *path;  /* path percent-decoded */
    const char *const *parts;   /* of the path behind group and version and namespace, ends with NULL */
    size_t part_count;
    const char *verb;           /* "get", "list" … or the lower-case method for other paths */
    bool is_resource;
    const char *prefix, *group, *version, *ns, *plural, *name, *subresource; /* "" where absent; plural NULL: none */
    struct query_pair *query;
    size_t query_len;
    const struct resource *custom; /* the custom resource that the path names, held; NULL: none */
    const struct resource *resource;
    const struct subresource *sub;
    struct request_options options;
    /* authn.c, impersonate.c */
    struct user user;
    const struct user *impersonator; /* who really asks, when `user` is impersonated */
    const char *user_agent;
    /* negotiate.c */
    struct negotiated accept;
    const char *content_type;   /* of the body, without parameters */
    const struct json *body;    /* of calls in the process */
    bool explicit_empties;      /* the object that was read has empty lists or maps, which are gone when it is written (schema_written) */
    struct json_array warnings; /* strings */
    /* the answer */
    struct answer answer;
    struct error *error;
    _Atomic int pending;        /* commits under way + 1 while the handler runs */
    _Atomic(struct error *) commit_error;
    void (*done)(struct request *r);
    struct flow_ticket flow;    /* what priority and fairness made of it */
    size_t stage;               /* the next one to run */
    struct worker_pool *pool;   /* where stages run that may block; NULL: on the loop */
    const char *audit_id;
    struct audit_event *audit;  /* NULL: not looked at yet, or not logged */
};

/* Makes a request in the exchange's arena. */
struct request *request_new(struct apiserver *s, struct http_exchange *x);
/* Runs the stages; the answer goes out when commits are done. */
void request_run(struct request *r);
/* Goes on with the stage behind the one that parked the request; on its loop. */
void request_resume(struct request *r);
/* What a stage returns that has handed the request to somebody else, who will resume or settle it: it is not to be touched. */
#define REQUEST_PARKED (&request_parked)
extern struct error request_parked;
void request_warn(struct request *r, const char *fmt, ...) PRINTF(2, 3);
int64_t request_now(const struct request *r); /* wall time */
bool user_in_group(const struct user *u, const char *group);

/* What the request holds besides its arena: documents, errors, slots. Before http_end or http_reply frees the exchange. */
void request_release(struct request *r);
void request_settle(struct request *r); /* one part of it is done; the last one answers */
size_t respond_headers(struct request *r, const char *content_type, struct http_header *out, size_t max);

/* Stages, in order. An error ends the request. */
struct error *route_parse(struct request *r);
struct error *authn_request(struct request *r);
struct error *impersonate_request(struct request *r);
struct error *authz_request(struct request *r);
struct error *serve_request(struct request *r);
struct error *serve_path(struct request *r);     /* what is no resource: discovery, health … */
struct error *serve_resource(struct request *r);

/* options.c */
const char *query_get(const struct request *r, const char *key); /* first value, NULL if absent */
bool query_has(const struct request *r, const char *key);
void query_parse(struct request *r, const char *query);
struct error *options_list(struct request *r);
struct error *options_get(struct request *r);
struct error *options_write(struct request *r, const char *kind); /* "CreateOptions", "UpdateOptions", "PatchOptions" */

struct error *options_delete_query(struct request *r, const struct json **out);
struct error *options_delete_check(struct request *r, const struct json *options);

/* negotiate.c */
struct error *negotiate_accept(struct request *r, bool allow_transform, bool allow_watch);
/* Which of the offered media types the client likes best; -1: none. */
int negotiate_type(struct request *r, const char *const *offered, size_t count);
struct error *negotiate_body(struct request *r, enum media_type *media);

/* respond.c: on the exchange's loop. */
void respond(struct request *r);
void respond_error(struct request *r, const struct error *e);
const struct json *status_value(struct arena *a, const struct error *e); /* the Status of an error */
const struct json *list_answer_json(struct request *r, const struct list_answer *l);
void answer_json(struct request *r, int code, const struct json *v);
void answer_doc(struct request *r, int code, struct doc *d); /* takes the reference */
void answer_text(struct request *r, int code, const char *text);

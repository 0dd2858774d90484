/* AWS Signature Version 4: who signed a request, and is it truly his? (AWS General Reference, "Signing AWS API requests")
 *
 * Two steps with the caller's look-up of the secret between them:
 *
 *     TRY(sigv4_parse(a, &request, &auth));             what the request claims; nothing is verified yet
 *     secret = …(auth.key_id, auth.session_token);      IAM's state, see state.h: aws_authenticate does all three
 *     TRY(sigv4_verify(a, &request, &auth, secret, &rules));
 *
 * Errors carry AWS's code as reason, its HTTP status and its words; they never contain the secret or the signature that
 * would have been right. No I/O, no state: any thread. */
#pragma once
#include "base/clock.h"
#include "base/error.h"
#include "net/http.h"

/* A request as it came over the wire. Strings are borrowed. */
struct sigv4_request {
    const char *method;
    const char *path;  /* percent-encoded as sent; "" is "/" */
    const char *query; /* as sent, without the question mark; "" if absent */
    const struct http_header *headers; /* names in lower case; "host" is among them */
    size_t header_count;
    const void *body;
    size_t body_len;
};

struct sigv4_auth {
    bool presigned;             /* in the query, not in the Authorization header */
    const char *key_id;         /* access key id; credential = key_id/date/region/service/aws4_request */
    const char *date, *region, *service;
    const char *timestamp;      /* X-Amz-Date as sent: 20260101T000000Z */
    const char *const *signed_headers; /* lower case, sorted, ends with NULL; "host" is among them */
    const char *signature;      /* 64 hex digits */
    const char *session_token;  /* NULL if none */
    int64_t signed_at;          /* wall time of the timestamp */
    int64_t expires;            /* ns after signed_at; presigned only */
};

/* Reads the Authorization header or the X-Amz-… query parameters. Errors: MissingAuthenticationToken (neither is there),
 * IncompleteSignature (parts are missing or malformed, X-Amz-Date absent, an algorithm other than AWS4-HMAC-SHA256),
 * SignatureDoesNotMatch (host, x-amz-* headers sent but not signed), AuthorizationQueryParametersError. */
MUST_CHECK struct error *sigv4_parse(struct arena *a, const struct sigv4_request *r, struct sigv4_auth *out);
/* True if the request carries either form; cheap. */
bool sigv4_present(const struct sigv4_request *r);

struct sigv4_rules {
    int64_t now;                /* wall time */
    const char *service;        /* that the credential scope must name; NULL: any */
    const char *region;         /* the same; NULL: any */
    bool unsigned_payload;      /* "UNSIGNED-PAYLOAD" is accepted as payload hash */
    bool single_encoding;       /* s3: the path is not encoded a second time, nor normalised */
    int64_t presigned_lifetime; /* > 0: counts instead of X-Amz-Expires (sign-in tokens: 15 minutes) */
};
#define SIGV4_SKEW SECONDS(15 * 60)

/* Payload hash, clock (±15 minutes; presigned: until its expiry), scope and signature. Errors: SignatureDoesNotMatch,
 * RequestExpired (presigned too old). `secret` is the secret access key. */
MUST_CHECK struct error *sigv4_verify(struct arena *a, const struct sigv4_request *r, const struct sigv4_auth *auth,
                                      const char *secret, const struct sigv4_rules *rules);

/* The canonical request (task 1 of the specification), for tests and messages. `payload_hash` in hex. */
const char *sigv4_canonical_request(struct arena *a, const struct sigv4_request *r, const struct sigv4_auth *auth,
                                    const char *payload_hash, bool single_encoding);
/* The signature of a request for `auth`'s scope, timestamp and headers: 64 hex digits. For clients and tests. */
const char *sigv4_sign(struct arena *a, const struct sigv4_request *r, const struct sigv4_auth *auth, const char *secret,
                       const char *payload_hash, bool single_encoding);

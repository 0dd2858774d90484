/* TLS 1.2+ settings of servers and clients, and the session that stream.c runs over a socket.
 *
 * A tls_config is reference-counted and may be used by any thread; tls_config_reload replaces certificates for
 * connections made from then on. Certificates and keys are PEM text (a certificate may be a chain). No session
 * tickets: each connection proves its certificate anew, so that revocation and reload take effect. */
#pragma once
#include "base/arena.h"
#include "base/error.h"

struct tls_config;
struct tls_options {
    const char *cert, *key; /* mandatory for a server; a client's own certificate or NULL */
    const char *ca;         /* server: clients are asked for a certificate of these CAs (NULL: not asked, none needed);
                               client: the server must have one of these (NULL: the system's CAs) */
    const char *alpn;       /* offered or accepted protocols, best first: "h2,http/1.1"; NULL: none */
    bool insecure;          /* client: no check of the server's certificate */
};
MUST_CHECK struct error *tls_config_server(const struct tls_options *o, struct tls_config **out);
MUST_CHECK struct error *tls_config_client(const struct tls_options *o, struct tls_config **out);
/* On error the old settings stay. Kept connections of an earlier generation are not used again. */
MUST_CHECK struct error *tls_config_reload(struct tls_config *c, const struct tls_options *o);
unsigned tls_config_generation(const struct tls_config *c); /* how often it was reloaded */
struct tls_config *tls_config_ref(struct tls_config *c);
void tls_config_unref(struct tls_config *c); /* NULL is allowed */

/* The other side's certificate. A server lets the handshake pass with a certificate it cannot verify and says so
 * here: as in kube-apiserver the request is then answered with 401 instead of being anonymous. */
struct tls_peer {
    bool has_cert, verified;
    const char *problem; /* why it is not verified, else NULL */
    const char *common_name;          /* "" if it has none */
    const char *const *organizations; /* ends with NULL */
    int64_t not_after;                /* ns; whoever serves a long connection looks again */
    char sha256[65];                  /* hex, of the DER */
    const void *der;
    size_t der_len;
};

/* One session: a filter between plain and sealed bytes without I/O of its own. What is to be sent is added to `out`. */
struct tls_session;
struct buf;
struct tls_session *tls_session_new(struct tls_config *c, const char *server_name, struct buf *out); /* server_name: clients only */
void tls_session_free(struct tls_session *t);
/* Sealed bytes from the socket, used in place: they must stay until tls_handshake or tls_read answers WANT. */
void tls_input(struct tls_session *t, const void *p, size_t n);
size_t tls_input_left(const struct tls_session *t, const char **p);
enum tls_result { TLS_OK, TLS_WANT, TLS_EOF, TLS_FAILED }; /* an error is set with FAILED only */
enum tls_result tls_handshake(struct tls_session *t, struct error **e);
enum tls_result tls_read(struct tls_session *t, void *p, size_t size, size_t *n, struct error **e);
MUST_CHECK struct error *tls_write(struct tls_session *t, const void *p, size_t n); /* n > 0; one record per 16 KiB */
void tls_close_notify(struct tls_session *t);
const char *tls_alpn(struct tls_session *t); /* NULL if none */
void tls_peer_describe(struct tls_session *t, struct arena *a, struct tls_peer *out);

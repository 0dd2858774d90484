/* Streamed answers as WebSocket messages, for clients that cannot read a plain stream (browsers): logs and watches.
 *
 * Whoever answers goes on to use http_begin, http_write, http_end and on_close: a streamed answer of status 200 then becomes an
 * upgrade, and what is written becomes messages. Any other answer stays HTTP. Loop thread only.
 *
 * Rules: apimachinery/pkg/util/httpstream/wsstream/stream.go; the handshake is that of golang.org/x/net/websocket. */
#pragma once
#include "net/http.h"

/* Where one message ends: with what was written at once; the same, but in base64; with a line feed; where four bytes of length in
 * front of it say (they are not sent). */
enum websocket_framing { WEBSOCKET_RAW, WEBSOCKET_BASE64, WEBSOCKET_LINES, WEBSOCKET_PREFIXED };

struct websocket_refusal {
    int status;          /* 0: not refused */
    const char *message; /* "" if there is none */
};
/* Does the request ask for an upgrade to a WebSocket at all? */
bool websocket_asked(const struct http_exchange *x);
/* "", binary.k8s.io or base64.binary.k8s.io; an empty message comes first. */
MUST_CHECK struct websocket_refusal websocket_answer_stream(struct http_exchange *x);
/* Any one protocol; a client must say where it comes from (Origin). */
MUST_CHECK struct websocket_refusal websocket_answer_messages(struct http_exchange *x, enum websocket_framing f);

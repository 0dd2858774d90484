/* Forwards questions to the name servers of resolv.conf, with a cache. All on one loop thread. */
#pragma once
#include "net/loop.h"
#include "network/dns_message.h"

struct dns_forwarder;
/* `reply` is NULL if no server answered; else the message as it came, but with the question's id. */
typedef void dns_forward_fn(const void *reply, size_t n, void *arg);
/* `except` is an address that is never asked (the server's own). */
MUST_CHECK struct error *dns_forwarder_new(struct loop *l, const char *resolv_conf, const char *except, struct dns_forwarder **out);
/* Answers by `done`, perhaps at once from the cache. `tcp`: the client came by TCP, so an answer that is truncated over
 * UDP is asked for again by TCP. */
void dns_forward(struct dns_forwarder *f, const struct dns_question *q, const char *name, bool tcp, dns_forward_fn *done, void *arg);
/* Every question under way is answered with NULL; `closed` when the memory is gone. */
void dns_forwarder_close(struct dns_forwarder *f, void (*closed)(void *arg), void *arg);

/* The AWS endpoint of a server: its state, its listener, its address for local verbs. */
#pragma once
#include "cli/options.h"
#include "client/cache.h"
#include "net/http.h"
#include "platform/aws/aws.h"

struct awshost;
struct awshost_config {
    const struct aws_options *options;
    struct client *client; /* in the process; may do everything */
    struct cache *cache;
    struct loop *const *loops;
    size_t loop_count;
    const char *bind_address, *advertise_address;
    const char *tls_cert, *tls_key; /* PEM */
    const char *address_file;
};
MUST_CHECK struct error *awshost_start(const struct awshost_config *c, struct awshost **out);
MUST_CHECK struct error *awshost_renew(struct awshost *h, const char *tls_cert, const char *tls_key); /* a renewed certificate; any thread */
/* In two steps, since requests may still run on workers: no new ones, then (loops still turning) the end. */
void awshost_stop(struct awshost *h, void (*done)(void *arg), void *arg);
void awshost_drain(struct awshost *h); /* waits for running actions; NULL is allowed */
void awshost_free(struct awshost *h);
struct aws *awshost_aws(struct awshost *h);
const char *awshost_url(const struct awshost *h);

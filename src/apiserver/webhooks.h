/* Admission webhooks: configurations compiled from stored objects, asked over HTTPS (KEP-492, admission/v1). */
#pragma once
#include "apiserver/change.h"

/* The webhooks' and policies' say about a connection to a pod, service or node; blocks. */
struct error *webhooks_connect(struct request *r);

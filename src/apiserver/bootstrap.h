/* Objects that every cluster has. */
#pragma once
#include "apiserver/internal.h"

/* Makes those that are missing; blocks until they are durable. */
struct error *bootstrap_run(struct apiserver *s);

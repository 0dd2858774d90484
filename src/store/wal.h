/* The write-ahead log of an sqlite database, looked at before sqlite opens it: sqlite takes what is behind a damaged place as never
 * written, and so would lose commits without a word. */
#pragma once
#include "base/error.h"

/* Fails if commits that were acknowledged are damaged. A commit that a power cut tore was not, so that is no error; nor is a missing log.
 * No other process may write the log meanwhile. */
MUST_CHECK struct error *wal_check(const char *path);

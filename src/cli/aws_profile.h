/* The files of the aws CLI: sections of ~/.aws/config and ~/.aws/credentials. */
#pragma once
#include "base/arena.h"
#include "base/error.h"

struct profile_entry { const char *key, *value; }; /* a NULL value: the key is removed */

/* $AWS_CONFIG_FILE or ~/.aws/config; $AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials. */
const char *profile_config_file(struct arena *a);
const char *profile_credentials_file(struct arena *a);
/* Sets keys of a section and leaves everything else in the file as it is; makes file (0600) and directory when absent. */
MUST_CHECK struct error *profile_write(struct arena *a, const char *path, const char *section, const struct profile_entry *entries, size_t count);
/* A key of a section; NULL if it, the section or the file is not there. */
const char *profile_read(struct arena *a, const char *path, const char *section, const char *key);

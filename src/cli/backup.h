/* Copies of the cluster's database: served by a running server to its administrators, made from the file of a stopped
 * one, and put back. */
#pragma once
#include "base/error.h"

struct apiserver;
struct store;
#define BACKUP_PATH "/coracle/snapshot"
/* GET BACKUP_PATH answers with a consistent copy. `dir` is where it is prepared. */
void backup_serve(struct apiserver *s, struct store *store, const char *dir);
/* Asks the server of the kubeconfig for a copy and writes it to `file` (0600). */
MUST_CHECK struct error *backup_fetch(const char *kubeconfig, const char *file);
/* `key` is the file with the encryption key of Secrets. */
MUST_CHECK struct error *backup_of_file(const char *database, const char *key, const char *file);
/* Checks the copy by opening it, then replaces the database. */
MUST_CHECK struct error *backup_restore(const char *file, const char *database, const char *key);

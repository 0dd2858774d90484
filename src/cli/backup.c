/* See backup.h. The database is locked by its server, so a copy of a running cluster comes through the server. */
#include "cli/backup.h"
#include "apiserver/apiserver.h"
#include "base/str.h"
#include "base/worker.h"
#include "client/kubeconfig.h"
#include "net/http_client.h"
#include "net/tls.h"
#include "store/encrypt.h"
#include "store/store.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_BYTES ((size_t)8 << 30)

/* ---- serving ---- */

struct service {
    struct store *store;
    char *dir;
    struct worker_pool *workers;
};
struct job {
    struct service *service;
    struct http_exchange *exchange;
    struct error *error;
    void *bytes;
    size_t len;
};

static struct error *map_file(const char *path, struct job *j) {
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) return error_new("cannot read %s", path);
    j->len = (size_t)st.st_size;
    j->bytes = mmap(NULL, j->len, PROT_READ, MAP_PRIVATE, fd, 0);
    return j->bytes == MAP_FAILED ? error_new("cannot map %s", path) : NULL;
}

static void release(void *arg) {
    struct job *j = arg;
    if (j->bytes != NULL) munmap(j->bytes, j->len);
    error_free(j->error);
    free(j);
}

static void answer(void *arg) {
    struct job *j = arg;
    if (j->error == NULL) {
        const struct http_header type = {"content-type", "application/vnd.sqlite3"};
        return http_reply(j->exchange, 200, &type, 1, j->bytes, j->len, release, j);
    }
    http_reply(j->exchange, 500, NULL, 0, j->error->message, strlen(j->error->message), NULL, NULL);
    release(j);
}

static void work(void *arg) {
    struct job *j = arg;
    cleanup_free char *path = xprintf("%s/snapshot.%d", j->service->dir, (int)getpid());
    unlink(path);
    j->error = store_backup(j->service->store, path);
    if (j->error == NULL) j->error = map_file(path, j);
    unlink(path);
    loop_post(j->exchange->loop, answer, j);
}

static void on_request(struct http_exchange *x, void *arg) {
    struct service *s = arg;
    if (!str_eq(x->method, "GET")) return http_reply(x, 405, NULL, 0, "only GET\n", 9, NULL, NULL);
    struct job *j = xcalloc(1, sizeof(*j));
    j->service = s;
    j->exchange = x;
    worker_submit(s->workers, work, j);
}

void backup_serve(struct apiserver *s, struct store *store, const char *dir) {
    struct service *service = xcalloc(1, sizeof(*service)); /* lives as long as the server */
    service->store = store;
    service->dir = xstrdup(dir);
    service->workers = worker_pool_new("snapshot", 1);
    apiserver_add_path(s, BACKUP_PATH, on_request, service);
}

/* ---- fetching ---- */

static struct error *fetch(struct arena *a, const struct kubeconfig *k, const char *file) {
    struct http_request r = {.path = BACKUP_PATH};
    struct tls_config *tls;
    struct http_answer got;
    int64_t port = 443;
    const char *host = k->server + strlen("https://"), *colon = strrchr(host, ':');
    if (colon == NULL || !str_to_int64(colon + 1, &port)) return error_new("no port in the server's address %s", k->server);
    TRY(tls_config_client(&(struct tls_options){.cert = k->cert, .key = k->key, .ca = k->ca}, &tls));
    bool brackets = *host == '[';
    r.target = (struct net_target){.host = arena_strndup(a, host + brackets, (size_t)(colon - host) - 2 * brackets), .port = (int)port, .tls = tls};
    struct loop *loop = loop_new("snapshot");
    struct http_client *http = http_client_new(loop);
    struct error *e = http_fetch(http, a, &r, MAX_BYTES, &got);
    http_client_close(http);
    loop_stop(loop);
    tls_config_unref(tls);
    if (e == NULL && got.status != 200) e = error_new("the server refused a snapshot: HTTP %d: %.*s", got.status, (int)MIN(got.body_len, 300), got.body);
    return e ? e : file_write_atomic(file, got.body, got.body_len, 0600);
}

struct error *backup_fetch(const char *kubeconfig, const char *file) {
    cleanup_arena struct arena a = {0};
    cleanup_kubeconfig struct kubeconfig k = {0};
    TRY(kubeconfig_load(kubeconfig, NULL, &k));
    return fetch(&a, &k, file);
}

/* ---- files ---- */

static struct error *with_store(const char *database, const char *key, const char *copy) {
    struct store *s;
    struct encryption *encryption;
    if (access(database, F_OK) != 0) return error_new("%s does not exist", database);
    if (access(key, F_OK) != 0) return error_new("%s is missing: without the key the Secrets in %s cannot be read", key, database);
    TRY(encryption_open(key, &encryption));
    struct store_transform secrets = {"secrets", encryption_encode, encryption_decode, encryption};
    struct store_config c = {.backend = "sqlite", .path = database, .clock = &clock_real, .transforms = &secrets, .transform_count = 1};
    struct error *e = store_open(&c, &s);
    if (e == NULL) {
        e = copy ? store_backup(s, copy) : NULL;
        store_close(s);
    }
    encryption_free(encryption);
    return e;
}

struct error *backup_of_file(const char *database, const char *key, const char *file) { return with_store(database, key, file); }

static struct error *copy_file(const char *from, const char *to) {
    cleanup_buf struct buf bytes = {0};
    TRY(file_read(from, MAX_BYTES, &bytes));
    return file_write_atomic(to, bytes.data, bytes.len, 0600);
}

struct error *backup_restore(const char *file, const char *database, const char *key) {
    cleanup_free char *fresh = xprintf("%s.restored", database), *wal = xprintf("%s-wal", database), *shm = xprintf("%s-shm", database);
    TRY(copy_file(file, fresh));
    struct error *e = with_store(fresh, key, NULL);
    if (e == NULL) {
        unlink(wal);
        unlink(shm);
        if (rename(fresh, database) != 0) e = error_new("cannot replace %s", database);
    }
    unlink(fresh);
    return e ? error_wrap(e, "restoring %s", file) : NULL;
}

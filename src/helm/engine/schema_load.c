/* Schemas that others refer to, from where helm's library loads them. */
#include "base/clock.h"
#include "base/str.h"
#include "helm/engine/schema.h"
#include "helm/repo/web.h"
#include "net/http.h"
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

enum { MAX_SCHEMA = 10 << 20 };

static struct error *load_web(struct arena *a, const char *url, struct buf *out) {
    struct web *w = web_new(a);
    struct http_answer answer;
    struct error *e = web_fetch(w, &(struct web_request){.url = url, .timeout = SECONDS(15)}, &answer);
    if (e != NULL) e = error_wrap(e, "HTTP request failed for %s", url);
    else if (answer.status != 200) e = error_new("HTTP request to %s returned status %d (%s)", url, answer.status, http_status_text(answer.status));
    else buf_add(out, answer.body, answer.body_len);
    web_free(w);
    return e;
}

static struct error *load_file(struct arena *a, const char *path, struct buf *out) {
    char *plain;
    if (!url_decode(a, path, strlen(path), false, &plain)) return error_new("invalid file url: file://%s", path);
    struct stat s;
    if (stat(plain, &s) != 0) return error_new("open %s: no such file or directory", plain);
    if (S_ISDIR(s.st_mode)) return error_new("read %s: is a directory", plain);
    return file_read(plain, MAX_SCHEMA, out);
}

static void warn_of_urn(const char *url) {
    time_t now = time(NULL);
    struct tm t;
    char text[32];
    strftime(text, sizeof(text), "%Y/%m/%d %H:%M:%S", localtime_r(&now, &t));
    fprintf(stderr, "%s WARNING: unresolved URN reference ignored; using permissive schema: %s\n", text, url);
}

struct error *schema_load(struct arena *a, const char *url, struct buf *out) {
    if (str_starts(url, "http://") || str_starts(url, "https://")) return load_web(a, url, out);
    if (str_starts(url, "file://")) return load_file(a, url + strlen("file://"), out);
    if (!str_starts(url, "urn:")) return error_new("no URLLoader registered for \"%s\"", url);
    warn_of_urn(url);
    buf_adds(out, "true");
    return NULL;
}

/* Is an archive what its provenance file says, and who says so? And such files for new archives. */
#include "helm/chart/provenance.h"
#include "base/str.h"
#include "helm/chart/decode.h"
#include "helm/chart/save.h"
#include "helm/go/os.h"
#include "helm/go/strconv.h"
#include <errno.h>
#include <sys/stat.h>
#include <time.h>

enum { MAX_PROVENANCE = 16 * 1024 * 1024 };

static const char *quoted(struct arena *a, const char *s) {
    cleanup_buf struct buf b = {0};
    go_quote(&b, s, strlen(s));
    return arena_strdup(a, buf_str(&b));
}

static const char *default_keyring(struct arena *a) {
    const char *home = getenv("GNUPGHOME"), *user = getenv("HOME");
    if (home != NULL) return path_join(a, home, "pubring.gpg");
    return arena_printf(a, "%s/.gnupg/pubring.gpg", user != NULL ? user : "");
}

/* The archive's sum in the text's second document. */
static struct error *check_sum(struct arena *a, const struct pgp_message *m, const char *base, const char *sum) {
    const char *files = strstr(buf_str(&m->text), "\n...\n");
    if (files == NULL) return error_new("message block must have at least two parts");
    struct value all;
    files += strlen("\n...\n");
    const char *end = strstr(files, "\n...\n");
    TRY(go_decode_yaml_map(a, files, end != NULL ? (size_t)(end - files) : strlen(files), &all));
    struct value *list = value_map_get(all.map, "files", 5);
    struct value *found = list != NULL && value_kind(*list) == GO_MAP ? value_map_get(list->map, base, strlen(base)) : NULL;
    if (found == NULL || !value_is_string(*found)) return error_new("provenance does not contain a SHA for a file named %s", quoted(a, base));
    if (value_str_eq(*found, sum)) return NULL;
    return error_new("sha256 sum does not match for %s: %s != %s", base, quoted(a, value_cstr(a, *found)), quoted(a, sum));
}

static const char *sum_of(struct arena *a, const struct buf *data) {
    uint8_t sum[32];
    cleanup_buf struct buf hex = {0};
    sha256(buf_str(data), data->len, sum);
    hex_encode(&hex, sum, sizeof sum);
    return arena_printf(a, "sha256:%s", buf_str(&hex));
}

static struct error *check_message(struct arena *a, const char *chart_path, const char *prov, const struct pgp_keyring *ring, struct pgp_message *m,
                                   struct verification *out) {
    cleanup_buf struct buf text = {0}, archive = {0};
    TRY(go_read_file(prov, MAX_PROVENANCE, &text));
    struct error *e = pgp_read_clearsigned(a, buf_str(&text), text.len, m);
    if (e != NULL) return error_wrap(e, "failed to decode signature");
    TRY(pgp_verify(m, ring, &out->by));
    TRY(go_read_file(chart_path, 0, &archive));
    out->hash = sum_of(a, &archive);
    return check_sum(a, m, strrchr(path_join(a, "/", chart_path), '/') + 1, out->hash);
}

static struct error *load_keyring(struct arena *a, const char *keyring, struct pgp_keyring *out) {
    cleanup_buf struct buf keys = {0};
    TRY(go_read_file(keyring[0] == '\0' ? default_keyring(a) : keyring, MAX_PROVENANCE, &keys));
    return pgp_read_keyring(a, (const uint8_t *)arena_dup(a, buf_str(&keys), keys.len + 1), keys.len, out);
}

/* ---- signing ---- */

/* What is signed: Chart.yaml as the archive has it, and the archive's sum. */
static struct error *message_of(struct arena *a, const char *chart_path, struct buf *out) {
    cleanup_buf struct buf archive = {0};
    struct chart *c;
    TRY(go_read_file(chart_path, 0, &archive));
    TRY(chart_load_archive(a, buf_str(&archive), archive.len, &c));
    TRY(chart_metadata_yaml(a, &c->metadata, out));
    buf_printf(out, "\n...\nfiles:\n  %s: %s\n", strrchr(path_join(a, "/", chart_path), '/') + 1, sum_of(a, &archive));
    return NULL;
}

struct error *provenance_sign(struct arena *a, const char *chart_path, const char *keyring, const char *id, provenance_passphrase ask, void *arg) {
    struct pgp_keyring ring;
    const struct pgp_key *key;
    const char *passphrase = "";
    TRY(load_keyring(a, keyring, &ring));
    TRY(pgp_find_signer(&ring, id, &key));
    if (pgp_is_locked(key)) TRY(ask(arg, key->names[0], &passphrase));
    cleanup_buf struct buf text = {0}, out = {0};
    TRY(message_of(a, chart_path, &text));
    TRY(pgp_clearsign(key, passphrase, buf_str(&text), time(NULL), &out));
    return go_write_file(arena_printf(a, "%s.prov", chart_path), buf_str(&out), out.len);
}

/* ---- verifying ---- */

struct error *provenance_verify(struct arena *a, const char *chart_path, const char *keyring, struct verification *out) {
    struct stat st;
    const char *prov = arena_printf(a, "%s.prov", chart_path);
    if (stat(chart_path, &st) != 0) return go_path_error("stat", chart_path, errno);
    if (S_ISDIR(st.st_mode)) return error_new("unpacked charts cannot be verified");
    if (!str_ends(chart_path, ".tgz")) return error_new("chart must be a tgz file");
    if (stat(prov, &st) != 0) return error_wrap(go_path_error("stat", prov, errno), "could not load provenance file %s", prov);
    struct pgp_keyring ring;
    struct error *e = load_keyring(a, keyring, &ring);
    if (e != NULL) return error_wrap(e, "failed to load keyring");
    struct pgp_message m = {0};
    e = check_message(a, chart_path, prov, &ring, &m, out);
    pgp_message_free(&m);
    return e;
}

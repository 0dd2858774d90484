/* Charts that helm and GnuPG have signed, and what is not what it was. Files: tests/golden/helm/provenance. */
#include "helm/chart/provenance.h"
#include "helm_golden.h"

static char *path_of(struct arena *a, const char *name) { return arena_printf(a, "%s/tests/golden/helm/provenance/%s", getenv("SOURCE_DIR"), name); }

static void a_signed_chart_is_verified(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    struct verification v;
    assert_null(provenance_verify(&a, path_of(&a, "demo-0.1.0.tgz"), path_of(&a, "pub.gpg"), &v));
    assert_int_equal(v.by->name_count, 1);
    assert_string_equal(v.by->names[0], "Chart Signer <signer@example.com>");
    assert_true(str_starts(v.hash, "sha256:"));
}

static void another_key_does_not_vouch_for_it(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    struct verification v;
    cleanup_error struct error *e = provenance_verify(&a, path_of(&a, "demo-0.1.0.tgz"), path_of(&a, "other.gpg"), &v);
    assert_string_equal(e->message, "openpgp: signature made by unknown entity");
}

/* Verifies a copy of the chart in which `from` became `to` in the archive or its provenance file. */
static char *tampered(struct arena *a, const char *suffix, const char *from, const char *to) {
    char dir[] = "/tmp/provenance-XXXXXX";
    static const char *const suffixes[] = {"", ".prov"};
    assert_non_null(mkdtemp(dir));
    const char *copy = arena_printf(a, "%s/demo-0.1.0.tgz", dir);
    for (size_t i = 0; i < 2; i++) {
        cleanup_buf struct buf text = {0};
        assert_null(file_read(path_of(a, arena_printf(a, "demo-0.1.0.tgz%s", suffixes[i])), 1 << 20, &text));
        char *at = str_eq(suffix, suffixes[i]) ? memmem(text.data, text.len, from, strlen(from)) : NULL;
        if (at != NULL) memcpy(at, to, strlen(to));
        assert_null(file_write_atomic(arena_printf(a, "%s%s", copy, suffixes[i]), text.data, text.len, 0600));
    }
    struct verification v;
    cleanup_error struct error *e = provenance_verify(a, copy, path_of(a, "pub.gpg"), &v);
    assert_null(dir_remove(dir));
    return arena_strdup(a, e != NULL ? e->message : "");
}

static void changes_are_noticed(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    assert_string_equal(tampered(&a, "", "", ""), "");
    assert_string_equal(tampered(&a, ".prov", "apiVersion: v2", "apiVersion: v1"), "openpgp: invalid signature: hash tag doesn't match");
    assert_true(str_starts(tampered(&a, "", "\x1f\x8b", "xy"), "sha256 sum does not match for demo-0.1.0.tgz: "));
    assert_string_equal(tampered(&a, ".prov", "BEGIN PGP SIGNED", "BEGIN PGP SIGMED"), "failed to decode signature: signature block not found");
}

/* ---- signing, with keys that GnuPG made; the second is locked with "open sesame" ---- */

static struct error *say(void *arg, const char *name, const char **out) {
    assert_string_equal(name, "locked signer <locked@example.com>");
    *out = arg;
    return NULL;
}

/* Signs a copy of the chart and verifies it; returns what went wrong. */
static char *signed_by(struct arena *a, const char *id, char *passphrase, const char *keyring) {
    char dir[] = "/tmp/provenance-XXXXXX";
    struct verification v = {0};
    cleanup_buf struct buf archive = {0};
    assert_non_null(mkdtemp(dir));
    const char *copy = arena_printf(a, "%s/demo-0.1.0.tgz", dir);
    assert_null(file_read(path_of(a, "demo-0.1.0.tgz"), 1 << 20, &archive));
    assert_null(file_write_atomic(copy, archive.data, archive.len, 0600));
    cleanup_error struct error *e = provenance_sign(a, copy, path_of(a, keyring), id, say, passphrase);
    if (e == NULL) e = provenance_verify(a, copy, path_of(a, "signers.gpg"), &v);
    if (e == NULL) assert_non_null(strstr(v.by->names[0], id));
    assert_null(dir_remove(dir));
    return arena_strdup(a, e != NULL ? e->message : "");
}

static void what_is_signed_here_can_be_verified(void **state) {
    (void)state;
    cleanup_arena struct arena a = {0};
    char good[] = "open sesame", bad[] = "shut";
    assert_string_equal(signed_by(&a, "plain", NULL, "signers-secret.gpg"), "");
    assert_string_equal(signed_by(&a, "locked signer <locked@example.com>", good, "signers-secret.gpg"), "");
    assert_string_equal(signed_by(&a, "locked signer <locked@example.com>", good, "signers-quick-secret.gpg"), "");
    assert_string_equal(signed_by(&a, "locked", bad, "signers-secret.gpg"), "openpgp: invalid data: private key checksum failure");
    assert_string_equal(signed_by(&a, "signer", NULL, "signers-secret.gpg"), "more than one key contain the id \"signer\"");
    assert_string_equal(signed_by(&a, "nobody", NULL, "signers-secret.gpg"), "private key not found");
    assert_string_equal(signed_by(&a, "plain", NULL, "signers.gpg"), "provided key is not a private key. Try providing a keyring with secret keys");
}

/* A secret key cut short anywhere, or with a byte changed, is an error at worst. These are the same keys, locked with a passphrase that is
 * hashed a thousandth as long. */
static void broken_secret_keys_do_no_harm(void **state) {
    (void)state;
    char good[] = "open sesame";
    cleanup_arena struct arena all = {0};
    cleanup_buf struct buf ring = {0};
    assert_null(file_read(path_of(&all, "signers-quick-secret.gpg"), 1 << 20, &ring));
    for (size_t at = ring.len / 2; at < ring.len; at += 7) {
        for (int cut = 0; cut < 2; cut++) {
            cleanup_arena struct arena a = {0};
            uint8_t *data = arena_dup(&a, ring.data, cut ? at : ring.len);
            struct pgp_keyring keys;
            const struct pgp_key *key;
            cleanup_buf struct buf out = {0};
            if (!cut) data[at] ^= 0x55;
            cleanup_error struct error *e = pgp_read_keyring(&a, data, cut ? at : ring.len, &keys);
            if (e == NULL) e = pgp_find_signer(&keys, "locked", &key);
            if (e == NULL) e = pgp_clearsign(key, good, "text\n", 0, &out);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signed_chart_is_verified),
        cmocka_unit_test(another_key_does_not_vouch_for_it),
        cmocka_unit_test(changes_are_noticed),
        cmocka_unit_test(what_is_signed_here_can_be_verified),
        cmocka_unit_test(broken_secret_keys_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

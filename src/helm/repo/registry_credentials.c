/* Credentials in the files of helm and docker, and from docker's credential helpers. */
#include "base/child.h"
#include "base/str.h"
#include "helm/go/os.h"
#include "helm/repo/registry_private.h"
#include "json/json.h"
#include <sys/stat.h>
#include <unistd.h>

#define DOCKER_HUB "https://index.docker.io/v1/"
enum { MAX_CONFIG = 4 << 20, MAX_ANSWER = 1 << 20 };

static const char *server_address(const char *host) {
    return str_in(host, (const char *const[]){"docker.io", "registry-1.docker.io", NULL}) ? DOCKER_HUB : host;
}

/* {} where there is no file, or an empty one. */
static struct error *load(struct arena *a, const char *file, const struct json **out) {
    cleanup_buf struct buf text = {0};
    *out = &json_empty_object;
    if (access(file, F_OK) != 0) return NULL;
    TRY(go_read_file(file, MAX_CONFIG, &text));
    if (text.len == 0) return NULL;
    const struct json *v;
    struct error *e = json_parse(a, text.data, text.len, NULL, NULL, &v);
    if (e) return error_wrap(e, "failed to decode config file at %s: invalid config format", file);
    *out = json_copy(a, v);
    return NULL;
}

static struct error *save(struct arena *a, const char *file, const struct json *config) {
    cleanup_buf struct buf text = {0};
    const char *slash = strrchr(file, '/');
    json_encode_pretty(&text, config, "\t");
    if (slash) TRY(dir_make(arena_strndup(a, file, (size_t)(slash - file)), 0700));
    return file_write_atomic(file, text.data, text.len, 0600);
}

/* ---- an entry of "auths" ---- */

static struct error *read_auth(struct arena *a, const struct json *auth, const char *host, struct registry_credential *out) {
    const char *coded = json_str_or(auth, "auth", "");
    char *pair;
    size_t n;
    *out = (struct registry_credential){.username = json_str_or(auth, "username", ""), .password = json_str_or(auth, "password", ""),
                                        .refresh_token = json_str_or(auth, "identitytoken", ""),
                                        .access_token = json_str_or(auth, "registrytoken", "")};
    if (!*coded) return NULL;
    if (!base64_decode(a, coded, strlen(coded), &pair, &n) || !memchr(pair, ':', n))
        return error_new("auth of %s does not conform the base64(username:password) format", host);
    const char *colon = memchr(pair, ':', n);
    out->username = arena_strndup(a, pair, (size_t)(colon - pair));
    out->password = arena_strndup(a, colon + 1, n - (size_t)(colon - pair) - 1);
    return NULL;
}

/* Entries may be written as URLs. */
static const struct json *find_auth(const struct json *auths, const char *host) {
    const struct json *v = json_member(auths, host);
    if (v) return v;
    JSON_EACH_MEMBER(m, auths) {
        const char *key = m->key, *scheme = strstr(key, "://");
        if (scheme) key = scheme + 3;
        size_t n = strcspn(key, "/");
        if (n == strlen(host) && strncmp(key, host, n) == 0) return &m->value;
    }
    return NULL;
}

/* ---- helpers ---- */

static struct error *ask_helper(struct arena *a, const char *helper, const char *address, bool *found, struct registry_credential *out) {
    const char *program = arena_printf(a, "docker-credential-%s", helper);
    cleanup_buf struct buf said = {.max = MAX_ANSWER};
    int status;
    const struct json *v;
    *found = false;
    TRY(child_run(&(struct child){.argv = (const char *const[]){program, "get", NULL}, .input = address, .input_len = strlen(address), .out = &said},
                  &status));
    if (status != 0 && strstr(buf_str(&said), "credentials not found")) return NULL;
    if (status != 0) return error_new("%s: %.*s", program, (int)strcspn(buf_str(&said), "\n"), buf_str(&said));
    struct error *e = json_parse(a, buf_str(&said), said.len, NULL, NULL, &v);
    if (e) return error_wrap(e, "%s", program);
    v = json_copy(a, v);
    *found = true;
    const char *user = json_str_or(v, "Username", ""), *secret = json_str_or(v, "Secret", "");
    bool token = strcmp(user, "<token>") == 0;
    *out = (struct registry_credential){token ? "" : user, token ? "" : secret, token ? secret : "", ""};
    return NULL;
}

struct error *registry_credential_find(struct arena *a, const char *config_file, const char *host, bool *found, struct registry_credential *out) {
    const struct json *config;
    const char *address = server_address(host);
    *found = false;
    TRY(load(a, config_file, &config));
    const char *helper = json_str(json_member(json_member(config, "credHelpers"), address), NULL);
    if (!helper) helper = json_str(json_member(config, "credsStore"), NULL);
    if (helper && *helper) return ask_helper(a, helper, address, found, out);
    const struct json *auth = find_auth(json_member(config, "auths"), address);
    if (!auth) return NULL;
    TRY(read_auth(a, auth, address, out));
    *found = *out->username || *out->password || *out->refresh_token || *out->access_token;
    return NULL;
}

static const char *docker_config(struct arena *a) {
    const char *dir = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
    return dir && *dir ? arena_printf(a, "%s/config.json", dir) : arena_printf(a, "%s/.docker/config.json", home ? home : "");
}

struct error *registry_credential_for(struct registry *r, const char *host, struct registry_credential *out) {
    const struct registry_options *o = &r->options;
    bool found;
    *out = (struct registry_credential){"", "", "", ""};
    if (r->login.username) {
        *out = r->login;
        return NULL;
    }
    if (o->username && *o->username && o->password && *o->password) {
        out->username = o->username;
        out->password = o->password;
        return NULL;
    }
    TRY(registry_credential_find(r->arena, o->credentials_file, host, &found, out));
    if (found) return NULL;
    cleanup_error struct error *unreadable = registry_credential_find(r->arena, docker_config(r->arena), host, &found, out); /* not ours: no matter */
    if (unreadable || !found) *out = (struct registry_credential){"", "", "", ""};
    return NULL;
}

/* ---- changes ---- */

struct error *registry_credential_store(struct arena *a, const char *config_file, const char *host, const char *username, const char *password) {
    const struct json *config;
    cleanup_buf struct buf coded = {0};
    TRY(load(a, config_file, &config));
    const char *pair = arena_printf(a, "%s:%s", username, password);
    base64_encode(&coded, pair, strlen(pair));
    const struct json *auths = json_member(config, "auths");
    auths = json_with_member(a, auths ? auths : &json_empty_object, server_address(host), json_make(a, "{'auth':%s}", buf_str(&coded)));
    return save(a, config_file, json_with_member(a, config, "auths", auths));
}

struct error *registry_credential_erase(struct arena *a, const char *config_file, const char *host) {
    const struct json *config, *auths;
    TRY(load(a, config_file, &config));
    auths = json_member(config, "auths");
    if (!json_member(auths, server_address(host))) return NULL;
    return save(a, config_file, json_with_member(a, config, "auths", json_without_member(a, auths, server_address(host))));
}

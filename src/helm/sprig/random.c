/* Chance, and the network: what gives something else each time. */
#include "helm/go/unicode.h"
#include "helm/sprig/internal.h"
#include <arpa/inet.h>
#include <netdb.h>

/* 0 to n - 1, all equally likely. */
static uint64_t below(uint64_t n) {
    uint64_t r, limit = UINT64_MAX - UINT64_MAX % n;
    do random_bytes(&r, sizeof(r));
    while (r >= limit);
    return r % n;
}

static struct error *random_text(struct go_run *run, int64_t n, const char *alphabet, struct value *out) {
    *out = value_literal("");
    if (n <= 0) return NULL;
    TRY(go_reserve(run, (uint64_t)n));
    if (n > UINT32_MAX) return error_new("result is too long");
    char *s = arena_alloc(run->arena, (size_t)n);
    for (int64_t i = 0; i < n; i++) s[i] = alphabet[below(strlen(alphabet))];
    *out = value_str(s, (size_t)n);
    return NULL;
}

#define DIGITS "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SPRIG(alpha_numeric) { return random_text(run, args[0].i, LETTERS DIGITS, out); }
SPRIG(alpha) { return random_text(run, args[0].i, LETTERS, out); }
SPRIG(numeric) { return random_text(run, args[0].i, DIGITS, out); }
SPRIG(ascii) { return random_text(run, args[0].i, LETTERS DIGITS " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", out); }

SPRIG(integer) {
    if (args[1].i <= args[0].i) return error_new("invalid argument to Intn");
    *out = value_int((int64_t)((uint64_t)args[0].i + below((uint64_t)args[1].i - (uint64_t)args[0].i)));
    return NULL;
}

SPRIG(bytes) {
    cleanup_buf struct buf b = {0};
    if (args[0].i < 0 || args[0].i > UINT32_MAX / 2) return error_new("runtime error: makeslice: len out of range");
    TRY(go_reserve(run, 3 * (uint64_t)args[0].i));
    char *data = arena_alloc(run->arena, (size_t)args[0].i + 1);
    random_bytes(data, (size_t)args[0].i);
    base64_encode(&b, data, (size_t)args[0].i);
    return sprig_give(run, &b, out);
}

SPRIG(uuid) {
    char text[37];
    uuid_v4(text);
    *out = value_strdup(run->arena, text, 36);
    return NULL;
}

SPRIG(shuffle) {
    cleanup_buf struct buf b = {0};
    size_t n = rune_count(args[0].s, args[0].len), width, at = 0;
    uint32_t *runes = arena_calloc(run->arena, n + 1, sizeof(*runes));
    for (size_t i = 0; i < n; i++, at += width) runes[i] = rune_decode(args[0].s + at, args[0].len - at, &width);
    for (size_t i = n; i > 1; i--) {
        size_t k = below(i);
        uint32_t r = runes[i - 1];
        runes[i - 1] = runes[k];
        runes[k] = r;
    }
    for (size_t i = 0; i < n; i++) buf_add_rune(&b, runes[i]);
    return sprig_give(run, &b, out);
}

/* One of the host's addresses. */
SPRIG(host_by_name) {
    struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_STREAM};
    if (getaddrinfo(value_cstr(run->arena, args[0]), NULL, &hints, &found) != 0 || found == NULL) return error_new("invalid argument to Intn");
    size_t n = 0;
    for (struct addrinfo *a = found; a != NULL; a = a->ai_next) n++;
    struct addrinfo *chosen = found;
    for (size_t i = below(n); i > 0; i--) chosen = chosen->ai_next;
    char text[INET6_ADDRSTRLEN + 32];
    bool named = getnameinfo(chosen->ai_addr, chosen->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0;
    freeaddrinfo(found);
    *out = value_strdup(run->arena, named ? text : "", named ? strlen(text) : 0);
    return NULL;
}

const struct go_func sprig_random[] = {
    GO_FUNC("randAlphaNum", alpha_numeric, &go_string, &go_int),
    GO_FUNC("randAlpha", alpha, &go_string, &go_int),
    GO_FUNC("randNumeric", numeric, &go_string, &go_int),
    GO_FUNC("randAscii", ascii, &go_string, &go_int),
    GO_FUNC("randInt", integer, &go_int, &go_int, &go_int),
    GO_FUNC("randBytes", bytes, &go_string, &go_int),
    GO_FUNC("uuidv4", uuid, &go_string),
    GO_FUNC("shuffle", shuffle, &go_string, &go_string),
    GO_FUNC("getHostByName", host_by_name, &go_string, &go_string),
    GO_FUNCS_END,
};

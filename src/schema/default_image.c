/* The tag of an image reference, for the default pull policy (parsers.ParseImageName of Kubernetes, which follows the
 * grammar of distribution/reference). */
#include "schema/default_image.h"
#include "base/base.h"
#include <ctype.h>

#define NAME_MAX_LENGTH 255 /* reference.RepositoryNameTotalLengthMax */

static bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

/* Components of lower-case letters and digits, joined by '.', '_', '__' or dashes; separated by slashes. */
static bool valid_path(const char *s, const char *end) {
    if (s == end) return false;
    while (s < end) {
        if (!is_lower_alnum(*s)) return false;
        while (s < end && is_lower_alnum(*s)) s++;
        if (s == end) return true;
        const char *separator = s;
        while (s < end && (*s == '-' || *s == '_' || *s == '.')) s++;
        size_t n = (size_t)(s - separator);
        if (n == 0 && *s == '/') s++;
        else if (n == 0 || (*separator == '.' && n > 1) || (*separator == '_' && (n > 2 || (n == 2 && separator[1] != '_'))))
            return false;
    }
    return false;
}

static bool valid_tag(const char *s, const char *end) {
    if (s == end || end - s > 128 || *s == '.' || *s == '-') return false;
    for (; s < end; s++)
        if (!isalnum((unsigned char)*s) && !strchr("_.-", *s)) return false;
    return true;
}

/* "sha256:" and at least 32 hexadecimal digits. */
static bool valid_digest(const char *s) {
    const char *colon = strchr(s, ':');
    return colon && colon > s && isalpha((unsigned char)*s) && strspn(colon + 1, "0123456789abcdefABCDEF") == strlen(colon + 1) &&
           strlen(colon + 1) >= 32;
}

/* A first component with a dot, a port or upper-case letters, or "localhost", is the registry. */
static const char *skip_domain(const char *s, const char *end) {
    const char *slash = memchr(s, '/', (size_t)(end - s));
    if (!slash) return s;
    bool domain = slash - s == 9 && memcmp(s, "localhost", 9) == 0;
    for (const char *p = s; p < slash; p++) {
        if (*p == '.' || *p == ':' || isupper((unsigned char)*p)) domain = true;
        if (!isalnum((unsigned char)*p) && !strchr(".:-[]_", *p)) return s;
    }
    return domain ? slash + 1 : s;
}

bool image_is_latest(const char *image) {
    const char *digest = strchr(image, '@'), *end = digest ? digest : image + strlen(image);
    const char *tag = end;
    for (const char *p = end; p > image && p[-1] != '/'; p--)
        if (p[-1] == ':') tag = p;
    const char *path_end = tag < end || (tag > image && tag[-1] == ':') ? tag - 1 : end;
    const char *path = skip_domain(image, path_end);
    bool tagged = path_end != end;
    bool hex_id = path == image && path_end - path == 64 && strspn(path, "0123456789abcdef") >= 64;
    bool official = path == image && !memchr(path, '/', (size_t)(path_end - path)); /* of docker.io/library/ */
    bool too_long = (size_t)(path_end - path) + (official ? strlen("library/") : 0) > NAME_MAX_LENGTH;
    if (!valid_path(path, path_end) || too_long || hex_id || (tagged && !valid_tag(tag, end)) || (digest && !valid_digest(digest + 1)))
        return false;
    if (!tagged) return !digest;
    return end - tag == 6 && memcmp(tag, "latest", 6) == 0;
}

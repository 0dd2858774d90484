#include "base/str.h"
#include <errno.h>
#include <sys/random.h>

void random_bytes(void *p, size_t n) {
    char *at = p;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) abort();
        at += got;
        n -= (size_t)got;
    }
}

/* RFC 9562, section 5.4. */
void uuid_v4(char out[37]) {
    static const char digits[] = "0123456789abcdef";
    uint8_t b[16];
    random_bytes(b, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0F) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3F) | 0x80);
    char *p = out;
    for (size_t i = 0; i < sizeof(b); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *p++ = '-';
        *p++ = digits[b[i] >> 4];
        *p++ = digits[b[i] & 15];
    }
    *p = '\0';
}

void random_name_suffix(char *out, size_t n) {
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    const size_t letters = sizeof(alphabet) - 1, fair = 256 - 256 % letters;
    uint8_t bytes[16]; /* nearly always enough for the five letters of a generated name */
    size_t used = sizeof(bytes);
    for (size_t i = 0; i < n;) {
        if (used == sizeof(bytes)) {
            random_bytes(bytes, sizeof(bytes));
            used = 0;
        }
        uint8_t b = bytes[used++];
        if (b < fair) out[i++] = alphabet[b % letters];
    }
    out[n] = '\0';
}

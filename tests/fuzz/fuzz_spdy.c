/* A SPDY server that accepts every stream, echoes its data and ends with it. */
#include "net/spdy.h"

static void on_send(const void *p, size_t n, void *arg) {
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < n; i++) sum = (uint8_t)(sum + ((const uint8_t *)p)[i]);
    (void)arg;
}

static void on_data(struct spdy_stream *s, const void *p, size_t n, void *arg) {
    (void)arg;
    if (n == 0) spdy_end(s);
    else if (*(const uint8_t *)p == 'r') spdy_reset(s);
    else spdy_write(s, p, n);
}

static void on_opened(struct spdy_stream *s, const struct http_header *headers, size_t count, void *arg) {
    static const struct spdy_stream_callbacks callbacks = {.data = on_data};
    for (size_t i = 0; i < count; i++)
        if (strcmp(headers[i].name, headers[i].value) == 0) return spdy_reset(s);
    spdy_accept(s, &callbacks, arg);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    struct spdy *s = spdy_new(true, &(struct spdy_callbacks){.send = on_send, .opened = on_opened});
    size_t half = n > 0 ? p[0] % n : 0;
    struct error *e = spdy_input(s, p, half);
    if (e == NULL) e = spdy_input(s, p + half, n - half);
    error_free(e);
    spdy_free(s);
    return 0;
}

#include "node/probes.h"
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connects within the time; 0 or an errno. */
static int try_connect(const struct addrinfo *to, int64_t timeout) {
    cleanup_fd int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    if (poll(&p, 1, (int)(timeout / NSEC_PER_MSEC)) == 0) return ETIMEDOUT;
    int failure = 0;
    socklen_t n = sizeof(failure);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &n);
    return failure;
}

enum probe_result probe_tcp(const struct probe_target *t, struct arena *a, const char **output) {
    const struct json *spec = json_member(t->spec, "tcpSocket");
    const char *host = *json_str_or(spec, "host", "") ? json_str(spec, "host") : t->pod_ip;
    int port = container_port(t->container, json_member(spec, "port"));
    const char *address = arena_printf(a, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(host, arena_printf(a, "%d", port), &hints, &found) != 0) {
        *output = arena_printf(a, "dial tcp: lookup %s: no such host", host);
        return PROBE_FAILED;
    }
    int failure = try_connect(found, t->timeout);
    freeaddrinfo(found);
    if (failure == 0) return PROBE_SUCCEEDED;
    if (failure == ETIMEDOUT) *output = arena_printf(a, "dial tcp %s: i/o timeout", address);
    else {
        char *text = arena_strdup(a, strerror(failure));
        text[0] = (char)(text[0] | 0x20); /* Go's are in lower case */
        *output = arena_printf(a, "dial tcp %s: connect: %s", address, text);
    }
    return PROBE_FAILED;
}

/* Sockets on loopback, for fuzzers of programs that answer or ask over them. */
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static inline struct sockaddr_in loopback_address(int port) {
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* Closed with a reset: no TIME_WAIT, or ports would run out. */
static inline int loopback_connect(int port) {
    struct sockaddr_in to = loopback_address(port);
    struct linger reset = {.l_onoff = 1};
    struct timeval patience = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) abort();
    return fd;
}

static inline int loopback_listen(int *port) {
    struct sockaddr_in at = loopback_address(0);
    socklen_t size = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&at, size) != 0 || listen(fd, 16) != 0 || getsockname(fd, (struct sockaddr *)&at, &size) != 0) abort();
    *port = ntohs(at.sin_port);
    return fd;
}

static inline void loopback_drain(int fd) {
    char bytes[4096];
    while (recv(fd, bytes, sizeof(bytes), 0) > 0) continue;
}

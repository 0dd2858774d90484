/* fetch HOST[:PORT][/PATH]: prints the body of an HTTP answer. Resolves names as the C library does (search domains of
 * resolv.conf included), which Debian's static busybox cannot; so it is linked dynamically and the image has the library. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int main(int argc, char **argv) {
    char host[256] = "", path[512] = "/", request[1024], answer[65536];
    const char *port = "80";
    if (argc != 2) return fprintf(stderr, "usage: fetch HOST[:PORT][/PATH]\n"), 2;
    char *slash = strchr(argv[1], '/');
    if (slash != NULL) snprintf(path, sizeof(path), "%s", slash);
    snprintf(host, sizeof(host), "%.*s", slash ? (int)(slash - argv[1]) : (int)strlen(argv[1]), argv[1]);
    char *colon = strchr(host, ':');
    if (colon != NULL) *colon = '\0', port = colon + 1;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *to;
    int failed = getaddrinfo(host, port, &hints, &to);
    if (failed != 0) return fprintf(stderr, "%s: %s\n", host, gai_strerror(failed)), 1;
    int fd = socket(to->ai_family, SOCK_STREAM, 0);
    struct timeval limit = {3, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, to->ai_addr, to->ai_addrlen) != 0) return perror(host), 1;
    snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, host);
    if (write(fd, request, strlen(request)) < 0) return perror("write"), 1;
    size_t len = 0;
    for (ssize_t n; len < sizeof(answer) - 1 && (n = read(fd, answer + len, sizeof(answer) - 1 - len)) > 0;) len += (size_t)n;
    answer[len] = '\0';
    char *body = strstr(answer, "\r\n\r\n");
    if (body == NULL) return fprintf(stderr, "no answer\n"), 1;
    fputs(body + 4, stdout);
    return strncmp(answer + 8, " 200", 4) != 0;
}

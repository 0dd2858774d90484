/* A web server for the tests: answers every GET with its host name, $GREETING and the file $CONFIG, and /healthz with
 * "ok" (503 once it was told to stop). On SIGTERM it goes on serving for $LINGER seconds (default 0), then ends. */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t stopping;
static void on_term(int s) { stopping = s; }

static void answer(int fd) {
    char request[2048], host[256] = "", config[1024] = "", body[2048], head[256];
    ssize_t n = read(fd, request, sizeof(request) - 1);
    if (n <= 0) return;
    request[n] = '\0';
    gethostname(host, sizeof(host) - 1);
    const char *greeting = getenv("GREETING"), *path = getenv("CONFIG");
    FILE *f = path ? fopen(path, "r") : NULL;
    if (f != NULL) {
        size_t got = fread(config, 1, sizeof(config) - 1, f);
        config[got] = '\0';
        fclose(f);
    }
    int health = strncmp(request, "GET /healthz", 12) == 0;
    if (health) snprintf(body, sizeof(body), "%s\n", stopping ? "stopping" : "ok");
    else snprintf(body, sizeof(body), "host=%s greeting=%s config=%s\n", host, greeting ? greeting : "", config);
    snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
             health && stopping ? "503 Service Unavailable" : "200 OK", strlen(body));
    if (write(fd, head, strlen(head)) < 0 || write(fd, body, strlen(body)) < 0) return;
    shutdown(fd, SHUT_WR);
    while (read(fd, request, sizeof(request)) > 0) {}
}

int main(void) {
    struct sigaction sa = {.sa_handler = on_term};
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGALRM, &sa, NULL);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    const char *port = getenv("PORT"), *linger = getenv("LINGER");
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port ? port : "8080"))};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 128) != 0) return perror("listen"), 1;
    printf("listening on %d\n", ntohs(at.sin_port));
    fflush(stdout);
    int alarmed = 0;
    for (;;) {
        int c = accept(fd, NULL, NULL);
        if (c >= 0) {
            answer(c);
            close(c);
        }
        if (stopping && alarmed++ == 0) {
            if (linger == NULL || atoi(linger) == 0) return 0;
            stopping = SIGTERM;
            alarm((unsigned)atoi(linger));
        }
        if (stopping == SIGALRM) return 0;
    }
}

/* See signals.h. */
#include "cli/signals.h"
#include "base/base.h"
#include <signal.h>
#include <unistd.h>

static void fill(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGUSR2);
}

void signals_block(void) {
    sigset_t set;
    fill(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void wait_for(int one, int other) {
    sigset_t set;
    int got = 0;
    fill(&set);
    while (got != one && got != other) sigwait(&set, &got);
}

void signals_wait_stop(void) { wait_for(SIGTERM, SIGINT); }
void signals_tell(void *unused UNUSED) { kill(getpid(), SIGUSR2); }
void signals_wait_told(void) { wait_for(SIGUSR2, SIGUSR2); }

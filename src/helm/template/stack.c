/* How deep recursion may go: templates nest as deep as their authors like, the C stack does not. */
#include "helm/template/internal.h"
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

static const size_t MAX_STACK = (size_t)1 << 30; /* where there is no limit */
enum { RESERVE = 768 * 1024 /* for functions that templates call, and sanitizers' large frames */ };

static const char *thread_stack(size_t *size) {
    pthread_attr_t attr;
    void *start = NULL;
    if (pthread_getattr_np(pthread_self(), &attr) != 0) return NULL;
    pthread_attr_getstack(&attr, &start, size);
    pthread_attr_destroy(&attr);
    return start;
}

/* The main thread's grows down from where the loader found it, as far as its limit; the C library would look for it in the list of all
 * mappings, which is long when files of a chart are mapped. */
extern void *__libc_stack_end;

static const char *main_stack(size_t *size) {
    struct rlimit limit;
    *size = MAX_STACK;
    if (getrlimit(RLIMIT_STACK, &limit) == 0) *size = MIN(*size, (size_t)limit.rlim_cur);
    return (const char *)__libc_stack_end - *size;
}

_Thread_local const char *stack_lowest;

void stack_measure(void) {
    size_t size = 0;
    const char *start = getpid() == gettid() ? main_stack(&size) : thread_stack(&size);
    stack_lowest = start + MIN((size_t)RESERVE, size / 2);
}

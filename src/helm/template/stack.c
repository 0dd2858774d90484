/* How deep recursion may go: templates nest as deep as their authors like, the C stack does not. */
#include "helm/template/internal.h"
#include <pthread.h>

enum { RESERVE = 768 * 1024 /* for functions that templates call, and sanitizers' large frames */ };

bool stack_low(size_t spare) {
    static _Thread_local const char *lowest; /* never changes once known */
    if (lowest == NULL) {
        pthread_attr_t attr;
        void *start = NULL;
        size_t size = 0;
        if (pthread_getattr_np(pthread_self(), &attr) == 0) {
            pthread_attr_getstack(&attr, &start, &size);
            pthread_attr_destroy(&attr);
        }
        lowest = (const char *)start + MIN((size_t)RESERVE, size / 2);
    }
    char here;
    const char *volatile at = &here; /* the frame's place is what counts */
    return at < lowest + spare;
}

/* The program of the pods' sandbox container: holds the namespaces, reaps orphans of a shared PID namespace, ends on
 * SIGTERM or SIGINT. No C library: a few hundred bytes, embedded in coracle. */
#include <asm/unistd.h>
#include <linux/signal.h>

static long call(long n, long a, long b, long c, long d) {
#if defined(__x86_64__)
    register long r10 __asm__("r10") = d;
    long r;
    __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
    return r;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = n, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c, x3 __asm__("x3") = d;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
#else
#error "port the system call"
#endif
}

enum { WAIT_NOHANG = 1, BLOCK = 0 };

void _start(void) {
    unsigned long set = 1UL << (SIGTERM - 1) | 1UL << (SIGINT - 1) | 1UL << (SIGCHLD - 1);
    call(__NR_rt_sigprocmask, BLOCK, (long)&set, 0, sizeof(set));
    for (;;) {
        long got = call(__NR_rt_sigtimedwait, (long)&set, 0, 0, sizeof(set));
        if (got == SIGTERM || got == SIGINT) call(__NR_exit_group, 0, 0, 0, 0);
        while (call(__NR_wait4, -1, 0, WAIT_NOHANG, 0) > 0) {}
    }
}

/* How the long-running verbs wait for their end. Signals are blocked in every thread and taken by the main one. */
#pragma once

void signals_block(void);     /* before the first thread is made */
void signals_wait_stop(void); /* returns on SIGTERM or SIGINT */
/* A second kind of end, told from another thread: wakes signals_wait_told once. */
void signals_tell(void *unused);
void signals_wait_told(void);

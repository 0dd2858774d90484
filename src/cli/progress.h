/* The start-up display: one line per component with the time it took. On a terminal the line of what is starting is
 * rewritten; elsewhere one line is printed when it is ready. Main thread. */
#pragma once
#include "base/base.h"

void progress_begin(const char *what);
void progress_ready(void);
void progress_failed(void);

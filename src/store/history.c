/* How long earlier states can be read: what was superseded more than `history` ago is gone for readers, also where a quiet table still
 * keeps its events. So a continue token ends in time, as after etcd's compactions.
 *
 * There is no timer: batches leave marks of when the store had which revision, and a reader asks how old its revision is. What nobody
 * has written to since stays readable, since it is the present state. */
#include "store/private.h"

/* The oldest two marks become one when there is no space: the younger one's time comes later for sure. */
static void forget_oldest(struct history *h) {
    memmove(h->marks, h->marks + 1, (--h->count) * sizeof(h->marks[0]));
}

void history_note(struct history *h, uint64_t revision, int64_t now, int64_t kept) {
    if (h->count > 0 && now < h->marks[h->count - 1].time + kept / (HISTORY_MARKS / 2)) return;
    if (h->count == HISTORY_MARKS) forget_oldest(h);
    h->marks[h->count++] = (struct history_mark){.time = now, .revision = revision};
}

uint64_t history_compacted(const struct history *h, int64_t now, int64_t kept) {
    uint64_t compacted = 0;
    for (size_t i = 0; i < h->count && h->marks[i].time <= now - kept; i++) compacted = h->marks[i].revision;
    return compacted;
}

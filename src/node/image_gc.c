/* Unused images are removed when the disk fills up. */
#include "base/log.h"
#include "node/images.h"
#include "node/machine.h"

#define LOG_COMPONENT "node"
#define HIGH_PERCENT 85
#define LOW_PERCENT 80
#define MIN_AGE SECONDS(120)
#define PERIOD SECONDS(300)

/* When each image was first seen and last used by a container; lock. */
struct image_use {
    int64_t detected, used;
};

static struct map used_now(struct node *n, struct arena *a) {
    struct map used = {0};
    const struct json *list;
    struct error *e = cri_call(n->cri, CRI_LIST_CONTAINERS, a, NULL, SECONDS(30), &list);
    error_free(e);
    if (e) return used;
    JSON_EACH(c, json_member(list, "containers")) {
        map_set(&used, json_str_or(c, "image_ref", ""), n);
        map_set(&used, json_str_or(c, "image.image", ""), n);
    }
    return used;
}

static struct image_use *note_use(struct node *n, const char *id, bool in_use) {
    LOCK(n);
    struct image_use *u = map_get(&n->image_pulls, id);
    if (!u) {
        u = xcalloc(1, sizeof(*u));
        u->detected = node_now(n);
        map_set(&n->image_pulls, id, u);
    }
    if (in_use) u->used = node_now(n);
    UNLOCK(n);
    return u;
}

struct victim {
    const char *id;
    int64_t size, used, detected;
};

static int oldest_first(const void *x, const void *y) {
    const struct victim *a = x, *b = y;
    if (a->used != b->used) return a->used < b->used ? -1 : 1;
    return a->detected < b->detected ? -1 : a->detected > b->detected;
}

static int64_t remove_image(struct node *n, struct arena *a, const struct victim *v) {
    struct error *e = cri_call(n->cri, CRI_REMOVE_IMAGE, a, json_make(a, "{'image':{'image':%s}}", v->id), 0, NULL);
    if (e) log_warn("removing image %s: %s", v->id, e->message);
    else log_info("removed image %s (%lld bytes)", v->id, (long long)v->size);
    bool failed = e != NULL;
    error_free(e);
    return failed ? 0 : v->size;
}

/* Frees at least `wanted` bytes if it can; least recently used first. */
static void free_images(struct node *n, int64_t wanted, int64_t min_age) {
    cleanup_arena struct arena a = {0};
    const struct json *answer;
    struct error *e = cri_call(n->cri, CRI_LIST_IMAGES, &a, NULL, SECONDS(30), &answer);
    error_free(e);
    if (e) return;
    const struct json *images = json_member(answer, "images");
    struct map used = used_now(n, &a);
    struct victim *v = arena_calloc(&a, json_len(images) + 1, sizeof(*v));
    size_t count = 0;
    JSON_EACH(i, images) {
        const char *id = json_str_or(i, "id", "");
        bool in_use = map_has(&used, id), pinned = json_bool(i, "pinned", false);
        JSON_EACH(t, json_member(i, "repo_tags")) {
            in_use |= map_has(&used, json_str_or(t, NULL, ""));
            pinned |= json_str_is(t, NULL, n->config.sandbox_image);
        }
        struct image_use *u = note_use(n, id, in_use);
        if (!in_use && !pinned && node_now(n) - u->detected >= min_age)
            v[count++] = (struct victim){id, json_int(i, "size", 0), u->used, u->detected};
    }
    map_free(&used, NULL);
    if (count) qsort(v, count, sizeof(*v), oldest_first);
    for (size_t i = 0; i < count && wanted > 0; i++) wanted -= remove_image(n, &a, &v[i]);
}

void images_free_all(struct node *n) { free_images(n, INT64_MAX, 0); }

struct work_result images_collect(void *arg, const char *rest) {
    (void)rest;
    struct node *n = arg;
    struct machine_fs fs;
    if (machine_fs(n->config.data_dir, &fs) && fs.capacity) {
        int64_t used = fs.capacity - fs.available;
        bool high = used * 100 / fs.capacity >= HIGH_PERCENT;
        free_images(n, high ? used - fs.capacity / 100 * LOW_PERCENT : 0, MIN_AGE);
    }
    return work_again(PERIOD);
}

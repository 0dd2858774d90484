/* See nft.h. The library is loaded when rules are first needed, since most runs of the program (a client's, helm's) need none:
 * it brings five others along, and every start would pay for them. */
#include "network/nft.h"
#include "base/str.h"
#include <dlfcn.h>
#include <nftables/libnftables.h>

static const char library_name[] = "libnftables.so.1";

struct library { /* what is used of it */
    __typeof__(nft_ctx_new) *ctx_new;
    __typeof__(nft_ctx_free) *ctx_free;
    __typeof__(nft_ctx_buffer_output) *buffer_output;
    __typeof__(nft_ctx_buffer_error) *buffer_error;
    __typeof__(nft_ctx_get_output_buffer) *get_output;
    __typeof__(nft_ctx_get_error_buffer) *get_error;
    __typeof__(nft_run_cmd_from_buffer) *run;
};

struct nft {
    struct library lib;
    struct nft_ctx *ctx;
};

#define SYMBOL(member, symbol) {offsetof(struct library, member), symbol}
static const struct {
    size_t offset;
    const char *name;
} symbols[] = {
    SYMBOL(ctx_new, "nft_ctx_new"),
    SYMBOL(ctx_free, "nft_ctx_free"),
    SYMBOL(buffer_output, "nft_ctx_buffer_output"),
    SYMBOL(buffer_error, "nft_ctx_buffer_error"),
    SYMBOL(get_output, "nft_ctx_get_output_buffer"),
    SYMBOL(get_error, "nft_ctx_get_error_buffer"),
    SYMBOL(run, "nft_run_cmd_from_buffer"),
};
#undef SYMBOL

static struct error *load(struct library *lib) {
    void *handle = dlopen(library_name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == NULL) return error_new("cannot load %s (%s); the Debian package libnftables1 has it", library_name, dlerror());
    for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
        void *found = dlsym(handle, symbols[i].name);
        if (found == NULL) return error_new("%s has no %s: it is too old", library_name, symbols[i].name);
        memcpy((char *)lib + symbols[i].offset, &found, sizeof(found));
    }
    return NULL;
}

struct error *nft_open(struct nft **out) {
    struct library lib;
    TRY(load(&lib));
    struct nft_ctx *ctx = lib.ctx_new(NFT_CTX_DEFAULT);
    if (ctx == NULL) return error_new("nftables is not available; `modprobe nf_tables` or a kernel with nftables is needed");
    lib.buffer_output(ctx);
    lib.buffer_error(ctx);
    struct nft *n = xcalloc(1, sizeof(*n));
    *n = (struct nft){lib, ctx};
    *out = n;
    return NULL;
}

void nft_close(struct nft *n) {
    if (n == NULL) return;
    n->lib.ctx_free(n->ctx);
    free(n);
}

struct error *nft_run(struct nft *n, const char *commands) {
    int failed = n->lib.run(n->ctx, commands);
    const char *said = n->lib.get_error(n->ctx);
    n->lib.get_output(n->ctx);
    if (failed == 0) return NULL;
    return error_new("nftables refused a change: %.*s (in: %.400s)", (int)strcspn(said, "\n"), said, commands);
}

/* See nft.h. */
#include "network/nft.h"
#include "base/str.h"
#include <nftables/libnftables.h>

struct nft {
    struct nft_ctx *ctx;
};

struct error *nft_open(struct nft **out) {
    struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
    if (ctx == NULL) return error_new("nftables is not available; `modprobe nf_tables` or a kernel with nftables is needed");
    nft_ctx_buffer_output(ctx);
    nft_ctx_buffer_error(ctx);
    struct nft *n = xcalloc(1, sizeof(*n));
    n->ctx = ctx;
    *out = n;
    return NULL;
}

void nft_close(struct nft *n) {
    if (n == NULL) return;
    nft_ctx_free(n->ctx);
    free(n);
}

struct error *nft_run(struct nft *n, const char *commands) {
    int failed = nft_run_cmd_from_buffer(n->ctx, commands);
    const char *said = nft_ctx_get_error_buffer(n->ctx);
    nft_ctx_get_output_buffer(n->ctx);
    if (failed == 0) return NULL;
    return error_new("nftables refused a change: %.*s (in: %.400s)", (int)strcspn(said, "\n"), said, commands);
}

/* nftables transactions through libnftables: text in, all or nothing. One thread at a time per handle. */
#pragma once
#include "base/buf.h"
#include "base/error.h"

struct nft;
MUST_CHECK struct error *nft_open(struct nft **out);
void nft_close(struct nft *n);
/* Runs the commands as one transaction; the error carries what nft said and the first lines of the commands. */
MUST_CHECK struct error *nft_run(struct nft *n, const char *commands);

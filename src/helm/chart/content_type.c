/* What kind of file somebody has given instead of a chart: the part of net/http's sniffing that errors show. */
#include "base/str.h"
#include "helm/chart/chart.h"
#include <strings.h>

enum { SNIFF_LEN = 512 };

static const struct {
    const char *magic, *type;
    bool text; /* an HTML tag: any case, behind blanks */
} signatures[] = {
    {"<!DOCTYPE HTML", "text/html; charset=utf-8", true}, {"<HTML", "text/html; charset=utf-8", true},
    {"<HEAD", "text/html; charset=utf-8", true}, {"<BODY", "text/html; charset=utf-8", true},
    {"<?xml", "text/xml; charset=utf-8", true}, {"%PDF-", "application/pdf", false},
    {"%!PS-Adobe-", "application/postscript", false}, {"\xEF\xBB\xBF", "text/plain; charset=utf-8", false},
    {"GIF87a", "image/gif", false}, {"GIF89a", "image/gif", false}, {"\x89PNG\r\n\x1A\n", "image/png", false},
    {"\xFF\xD8\xFF", "image/jpeg", false}, {"PK\x03\x04", "application/zip", false}, {"Rar!\x1A\x07", "application/x-rar-compressed", false},
};

const char *chart_content_type(const char *data, size_t len) {
    char head[SNIFF_LEN] = {0}; /* helm looks at so many bytes, zeros behind the end */
    memcpy(head, data, MIN(len, sizeof head));
    size_t blanks = strspn(head, "\t\n\f\r ");
    for (size_t i = 0; i < ARRAY_LEN(signatures); i++) {
        size_t n = strlen(signatures[i].magic);
        if (!signatures[i].text && len >= n && memcmp(head, signatures[i].magic, n) == 0) return signatures[i].type;
        if (signatures[i].text && blanks + n < sizeof head && strncasecmp(head + blanks, signatures[i].magic, n) == 0 &&
            (head[blanks + n] == ' ' || head[blanks + n] == '>' || signatures[i].magic[1] == '?'))
            return signatures[i].type;
    }
    for (size_t i = 0; i < sizeof head; i++) {
        unsigned char c = (unsigned char)head[i];
        if (c <= 0x08 || c == 0x0B || (c >= 0x0E && c <= 0x1A) || (c >= 0x1C && c <= 0x1F)) return "application/octet-stream";
    }
    return "text/plain; charset=utf-8";
}

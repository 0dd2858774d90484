/* The objects that templates see beside values: .Chart, .Files, .Capabilities, with Go's types. */
#pragma once
#include "helm/engine/engine.h"

struct value engine_chart_object(struct arena *a, const struct chart *c);
struct value engine_files_object(struct arena *a, const struct chart_files *files);
struct value engine_capabilities_object(struct arena *a, const struct engine_capabilities *c);
/* gobwas/glob with '/' as its separator: * ? ** [a-z] {a,b}. false for a malformed pattern. */
struct glob;
MUST_CHECK bool glob_compile(struct arena *a, const char *pattern, size_t len, const struct glob **out);
bool glob_match(struct arena *scratch, const struct glob *g, const char *text, size_t len);

/* See pause_image.h. An OCI archive (image-spec 1.0): a tar of oci-layout, index.json and three blobs named by digest. */
#include "node/pause_image.h"
#include "base/buf.h"
#include "base/str.h"
#include "node/preload.h"
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

extern const unsigned char pause_program[];
extern const size_t pause_program_size;

/* One file in ustar form (POSIX.1-1988). */
static void tar_file(struct buf *tar, const char *name, const void *p, size_t n, unsigned mode) {
    char header[512] = {0};
    unsigned sum = 0;
    snprintf(header, 100, "%s", name);
    snprintf(header + 100, 8, "%07o", mode);
    snprintf(header + 108, 8, "%07o", 0U);
    snprintf(header + 116, 8, "%07o", 0U);
    snprintf(header + 124, 12, "%011zo", n);
    snprintf(header + 136, 12, "%011o", 0U);
    memcpy(header + 148, "        ", 8);
    header[156] = '0';
    memcpy(header + 257, "ustar\00000", 8);
    for (size_t i = 0; i < sizeof(header); i++) sum += (unsigned char)header[i];
    snprintf(header + 148, 8, "%06o", sum);
    buf_add(tar, header, sizeof(header));
    buf_add(tar, p, n);
    static const char zeros[512];
    buf_add(tar, zeros, (512 - n % 512) % 512);
}

static void tar_end(struct buf *tar) {
    static const char zeros[1024];
    buf_add(tar, zeros, sizeof(zeros));
}

static const char *digest(struct arena *a, const void *p, size_t n) {
    uint8_t bytes[32];
    struct buf hex = {0};
    sha256(p, n, bytes);
    hex_encode(&hex, bytes, sizeof(bytes));
    const char *s = arena_strdup(a, hex.data);
    buf_free(&hex);
    return s;
}

static const char *tar_blob(struct arena *a, struct buf *tar, const void *p, size_t n) {
    const char *sha = digest(a, p, n);
    tar_file(tar, arena_printf(a, "blobs/sha256/%s", sha), p, n, 0644);
    return sha;
}

static const char *architecture(void) {
    struct utsname u;
    return uname(&u) == 0 && str_eq(u.machine, "aarch64") ? "arm64" : "amd64";
}

struct error *pause_image_write(const char *path) {
    cleanup_arena struct arena a = {0};
    cleanup_buf struct buf layer = {0}, tar = {0};
    tar_file(&layer, "pause", pause_program, pause_program_size, 0755);
    tar_end(&layer);
    const char *layer_sha = tar_blob(&a, &tar, layer.data, layer.len);
    const char *config = arena_printf(&a,
                                      "{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{\"User\":\"65535:65535\",\"Entrypoint\":[\"/pause\"],"
                                      "\"WorkingDir\":\"/\"},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\"]}}",
                                      architecture(), layer_sha);
    const char *config_sha = tar_blob(&a, &tar, config, strlen(config));
    const char *manifest = arena_printf(&a,
                                        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
                                        "\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"sha256:%s\",\"size\":%zu},"
                                        "\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:%s\",\"size\":%zu}]}",
                                        config_sha, strlen(config), layer_sha, layer.len);
    const char *manifest_sha = tar_blob(&a, &tar, manifest, strlen(manifest));
    const char *index = arena_printf(&a,
                                     "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
                                     "\"digest\":\"sha256:%s\",\"size\":%zu,\"annotations\":{\"io.containerd.image.name\":\"%s\","
                                     "\"org.opencontainers.image.ref.name\":\"1\"}}]}",
                                     manifest_sha, strlen(manifest), PAUSE_IMAGE);
    static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
    tar_file(&tar, "index.json", index, strlen(index), 0644);
    tar_file(&tar, "oci-layout", layout, strlen(layout), 0644);
    tar_end(&tar);
    return file_write_atomic(path, tar.data, tar.len, 0644);
}

struct error *pause_image_import(const char *socket, const char *scratch_dir) {
    cleanup_free char *path = xprintf("%s/pause-image.tar", scratch_dir);
    TRY(pause_image_write(path));
    struct error *e = image_archive_import(socket, path);
    unlink(path);
    return e;
}

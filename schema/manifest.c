/*
 * manifest: see manifest.h.
 *
 *   {"_type": "firebreak-manifest", "format": 1, "channel", "version", "sequence",
 *    "lowest_sequence", "min_agent", "pace": [{"after_s", "share_ppm"}], "early_boot", "baseline",
 *    "critical": [member names],
 *    "files": [{"path", "mode": "0644" | "0755", "length", "sha256"}]}
 */
#include "manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/jsonx.h"
#include "field.h"
#include "text.h"

#define TYPE         "firebreak-manifest"
#define FORMAT       1
#define MAX_CRITICAL 32

/* So the sum over all files needs no check for overflow. */
_Static_assert(MANIFEST_FILE_MAX <= INT64_MAX / MANIFEST_MAX_FILES, "total fits 63 bits");

static const struct field fields[] = {
    FIELD_TEXT(struct manifest, channel, "channel", channel_name_check),
    FIELD_TEXT(struct manifest, version, "version", release_version_check),
    FIELD_INT(struct manifest, sequence, "sequence", 1, FIELD_INT_MAX),
    FIELD_INT(struct manifest, lowest_sequence, "lowest_sequence", 0, FIELD_INT_MAX),
    FIELD_TEXT_OR_NONE(struct manifest, min_agent, "min_agent", text_word_check),
    FIELD_BOOL(struct manifest, early_boot, "early_boot"),
    FIELD_BOOL(struct manifest, baseline, "baseline"),
    {0},
};

/* Members beside `fields` that this code knows, for "critical". */
static const char *const other_members[] = {"_type", "format", "pace", "critical", "files"};

static const struct field file_fields[] = {
    FIELD_INT(struct manifest_file, length, "length", 0, MANIFEST_FILE_MAX),
    FIELD_HEX(struct manifest_file, sha256, "sha256"),
    {0},
};

static const struct {
    const char *text;
    unsigned mode;
} modes[] = {{"0644", 0644}, {"0755", 0755}};

static bool is_known(const char *member)
{
    for (size_t i = 0; i < sizeof other_members / sizeof other_members[0]; i++)
        if (strcmp(other_members[i], member) == 0)
            return true;
    for (const struct field *f = fields; f->key; f++)
        if (strcmp(f->key, member) == 0)
            return true;
    return false;
}

static int read_critical(const json_t *o, struct manifest *m, struct err *err)
{
    json_t *list, *item;
    size_t i;
    int r;

    if (!jsonx_has(o, "critical"))
        return 0;
    r = jsonx_array(o, "manifest", "critical", MAX_CRITICAL, &list, err);
    if (r < 0)
        return r;
    json_array_foreach (list, i, item) {
        const char *name = json_string_value(item);

        if (!name || !*name || json_string_length(item) >= sizeof m->unknown_critical)
            return err_set(err, ERR_INVALID, "manifest: 'critical[%zu]' is not a member's name", i);
        if (!m->unknown_critical[0] && !is_known(name))
            strcpy(m->unknown_critical, name);
    }
    return 0;
}

static int read_mode(const json_t *o, const char *what, unsigned *ret, struct err *err)
{
    const char *text;
    int r = jsonx_string(o, what, "mode", 8, &text, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(modes[i].text, text) == 0) {
            *ret = modes[i].mode;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "%s: 'mode' is neither \"0644\" nor \"0755\"", what);
}

/* Only plain files can be expressed; whoever tries to say otherwise is refused, not ignored. */
static int refuse_links(const json_t *o, const char *what, struct err *err)
{
    static const char *const members[] = {"target", "link", "type"};

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (json_object_get(o, members[i]))
            return err_set(err, ERR_BAD_PATH, "%s: '%s' is not allowed: only plain files are", what,
                           members[i]);
    return 0;
}

static int read_file(const json_t *o, const char *what, struct manifest_file *ret, struct err *err)
{
    const char *path;
    int r = jsonx_string(o, what, "path", FILE_PATH_MAX - 1, &path, err);

    if (r == -ERR_INVALID && json_is_string(json_object_get(o, "path")))
        return err_set(err, ERR_BAD_PATH, "%s: 'path' is longer than %d bytes", what,
                       FILE_PATH_MAX - 1);
    if (r == 0)
        r = err_context(err, path_check(path, err), "%s", what);
    if (r == 0)
        r = refuse_links(o, what, err);
    if (r == 0)
        r = read_mode(o, what, &ret->mode, err);
    if (r == 0)
        r = field_read(o, what, file_fields, ret, err);
    if (r < 0)
        return r;
    ret->path = strdup(path);
    if (!ret->path)
        return err_set(err, ERR_NOMEM, "out of memory while reading the manifest");
    return 0;
}

static unsigned char fold(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* How many leading bytes of two paths are the same but for the case of ASCII letters. */
static size_t common_folded(const char *a, const char *b)
{
    size_t n = 0;

    while (a[n] && fold(a[n]) == fold(b[n]))
        n++;
    return n;
}

/* Folded order in which '/' comes before all else, so that a folder's content follows it at once.
 */
static int compare_folded(const void *a, const void *b)
{
    const char *p = *(const char *const *)a, *q = *(const char *const *)b;
    size_t n = common_folded(p, q);
    int x = p[n] == '/' ? 1 : p[n] ? 1 + fold(p[n]) : 0;
    int y = q[n] == '/' ? 1 : q[n] ? 1 + fold(q[n]) : 0;

    return x - y;
}

/* Two neighbours in folded order. The names that they share, folder by folder, must be the same in
 * every byte, and neither may be a folder of the other. */
static int check_neighbours(const char *a, const char *b, struct err *err)
{
    size_t n = common_folded(a, b);

    if (!a[n] && b[n] == '/')
        return err_set(err, ERR_BAD_PATH, "manifest: '%.*s' is a file and a folder of '%.*s'",
                       text_shown(a, 150), a, text_shown(b, 150), b);
    if (a[n] || b[n])
        while (n > 0 && a[n - 1] != '/')
            n--;
    if (memcmp(a, b, n) != 0)
        return err_set(err, ERR_BAD_PATH, "manifest: '%.*s' and '%.*s' differ only in case",
                       text_shown(a, 150), a, text_shown(b, 150), b);
    return 0;
}

static int check_order(const struct manifest *m, struct err *err)
{
    for (size_t i = 1; i < m->n_files; i++) {
        int c = strcmp(m->files[i - 1].path, m->files[i].path);

        if (c == 0)
            return err_set(err, ERR_BAD_PATH, "manifest: path '%.*s' is given twice",
                           text_shown(m->files[i].path, 200), m->files[i].path);
        if (c > 0)
            return err_set(err, ERR_BAD_PATH, "manifest: path '%.*s' is not in order",
                           text_shown(m->files[i].path, 200), m->files[i].path);
    }
    return 0;
}

static int check_clashes(const struct manifest *m, struct err *err)
{
    _cleanup_(free_p)
    const char **paths = calloc(m->n_files, sizeof *paths);

    if (!paths)
        return err_set(err, ERR_NOMEM, "out of memory while reading the manifest");
    for (size_t i = 0; i < m->n_files; i++)
        paths[i] = m->files[i].path;
    qsort(paths, m->n_files, sizeof *paths, compare_folded);
    for (size_t i = 1; i < m->n_files; i++) {
        int r = check_neighbours(paths[i - 1], paths[i], err);

        if (r < 0)
            return r;
    }
    return 0;
}

static int read_files(const json_t *o, struct manifest *m, struct err *err)
{
    json_t *list, *item;
    size_t i;
    int r = jsonx_array(o, "manifest", "files", MANIFEST_MAX_FILES, &list, err);

    if (r < 0)
        return r;
    if (json_array_size(list) == 0)
        return err_set(err, ERR_INVALID, "manifest: 'files' is empty: a release has content");
    m->files = calloc(json_array_size(list), sizeof *m->files);
    if (!m->files)
        return err_set(err, ERR_NOMEM, "out of memory while reading the manifest");
    json_array_foreach (list, i, item) {
        char what[64];

        snprintf(what, sizeof what, "manifest: files[%zu]", i);
        r = read_file(item, what, &m->files[i], err);
        if (r < 0)
            return r;
        m->n_files = i + 1;
    }
    r = check_order(m, err);
    return r < 0 ? r : check_clashes(m, err);
}

static int read_manifest(const json_t *o, struct manifest *m, struct err *err)
{
    json_t *pace = NULL;
    int64_t format;
    int r = jsonx_type(o, "manifest", TYPE, err);

    if (r == 0)
        r = jsonx_int(o, "manifest", "format", FORMAT, FORMAT, &format, err);
    if (r == 0)
        r = field_read(o, "manifest", fields, m, err);
    if (r == 0)
        r = jsonx_array(o, "manifest", "pace", PACE_MAX_STEPS, &pace, err);
    if (r == 0)
        r = err_context(err, pace_from_json(pace, &m->pace, err), "manifest");
    if (r == 0)
        r = read_critical(o, m, err);
    if (r == 0)
        r = read_files(o, m, err);
    if (r == 0 && m->lowest_sequence > m->sequence)
        r = err_set(err, ERR_INVALID, "manifest: 'lowest_sequence' is above 'sequence'");
    return r;
}

int manifest_parse(const char *data, size_t len, struct manifest **ret, struct err *err)
{
    _cleanup_(manifest_free_p)
    struct manifest *m = calloc(1, sizeof *m);
    json_auto_t *o = NULL;
    int r;

    if (!m)
        return err_set(err, ERR_NOMEM, "out of memory while reading the manifest");
    r = err_context(err, jsonx_parse(data, len, MANIFEST_MAX, &o, err), "manifest");
    if (r == 0)
        r = read_manifest(o, m, err);
    if (r < 0)
        return r;
    sha256_hex(data, len, m->digest);
    *ret = take_ptr(m);
    return 0;
}

void manifest_free(struct manifest *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n_files; i++)
        free(m->files[i].path);
    free(m->files);
    free(m);
}

static int write_file(const struct manifest_file *f, json_t *list, struct err *err)
{
    json_t *o = json_object();
    int r = field_append(list, o, err); /* borrowed from here on */

    if (r == 0)
        r = field_set(o, "path", json_string(f->path), err);
    if (r == 0)
        r = field_set(o, "mode", json_string(f->mode == 0755 ? "0755" : "0644"), err);
    if (r == 0)
        r = field_write(o, "manifest", file_fields, f, err);
    return r;
}

int manifest_dump(const struct manifest *m, struct buf *ret, struct err *err)
{
    json_auto_t *o = json_object();
    json_t *list = json_array();
    int r = field_set(o, "files", list, err);

    if (m->unknown_critical[0])
        return err_set(err, ERR_INVALID, "manifest: critical member '%s' would be lost",
                       m->unknown_critical);
    for (size_t i = 0; r == 0 && i < m->n_files; i++)
        r = write_file(&m->files[i], list, err);
    if (r == 0)
        r = field_set(o, "_type", json_string(TYPE), err);
    if (r == 0)
        r = field_set(o, "format", json_integer(FORMAT), err);
    if (r == 0)
        r = field_set(o, "critical", json_array(), err);
    if (r == 0)
        r = field_set(o, "pace", pace_to_json(&m->pace), err);
    if (r == 0)
        r = field_write(o, "manifest", fields, m, err);
    if (r == 0)
        r = field_dump(o, JSON_INDENT(2) | JSON_SORT_KEYS, "manifest", ret, err);
    return r;
}

int64_t manifest_total_bytes(const struct manifest *m)
{
    int64_t total = 0;

    for (size_t i = 0; i < m->n_files; i++)
        total += m->files[i].length;
    return total;
}

/* snprintf into ret; ERR_TOO_LARGE, as no err is at hand, where it does not fit. */
static int fits(int n, size_t size)
{
    return n < 0 || (size_t)n >= size ? -ERR_TOO_LARGE : 0;
}

int manifest_target_path(const char *channel, const char *version, char *ret, size_t size)
{
    return fits(snprintf(ret, size, "content/%s/%s.json", channel, version), size);
}

int content_role_name(const char *channel, char *ret, size_t size)
{
    return fits(snprintf(ret, size, "content-%s", channel), size);
}

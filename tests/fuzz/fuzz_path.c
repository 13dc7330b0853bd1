/* fuzz_path: names that become part of a path. What the checks let in stays where it is put. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "manifest.h"
#include "text.h"

/* Follow the parts as the kernel would: 1 where no prefix of the path leaves its folder, and the
 * path names something below it. */
static int stays_below(const char *path)
{
    int depth = 0;

    if (*path == '/')
        return 0;
    for (const char *s = path; *s;) {
        size_t n = strcspn(s, "/");

        if (n == 2 && !strncmp(s, "..", 2))
            depth--;
        else if (n > 0 && !(n == 1 && *s == '.'))
            depth++;
        if (depth < 0)
            return 0;
        s += n;
        s += *s == '/';
    }
    return depth > 0;
}

/* One name for one file: no spelling of the same path is let in beside it. */
static void check_normal(const char *path)
{
    size_t len = strlen(path);

    FUZZ_CHECK(len > 0 && len < FILE_PATH_MAX);
    FUZZ_CHECK(path[0] != '/' && path[len - 1] != '/');
    FUZZ_CHECK(!strstr(path, "//") && !strchr(path, '\\'));
    FUZZ_CHECK(strncmp(path, "./", 2) != 0 && !strstr(path, "/./"));
    FUZZ_CHECK(len < 2 || strcmp(path + len - 2, "/.") != 0);
}

static void check_printable(const char *text)
{
    uint32_t cp;

    for (size_t n; *text; text += n) {
        n = utf8_next(text, &cp);
        FUZZ_CHECK(n > 0 && !utf8_is_control(cp));
    }
}

static void check_target_path(const char *channel, const char *version)
{
    char path[FILE_PATH_MAX], role[CHANNEL_NAME_MAX + 16];
    struct err err = {0};

    FUZZ_CHECK(manifest_target_path(channel, version, path, sizeof path) == 0);
    FUZZ_CHECK(path_check(path, &err) == 0);
    FUZZ_CHECK(strchr(strchr(path, '/') + 1, '/') == strrchr(path, '/')); /* two, no more */
    FUZZ_CHECK(content_role_name(channel, role, sizeof role) == 0);
    FUZZ_CHECK(path_check(role, &err) == 0 && !strchr(role, '/'));
}

static void check_clean(const char *text)
{
    char *clean = text_clean(text, 64);

    FUZZ_CHECK(clean && strlen(clean) <= 64);
    for (size_t n; clean[n = strcspn(clean, "\n\t")];)
        clean[n] = ' ';
    check_printable(clean);
    free(clean);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = fuzz_text(data, len);
    struct err err = {0};

    if (fuzz_ok(path_check(text, &err), &err)) {
        FUZZ_CHECK(stays_below(text));
        check_normal(text);
        check_printable(text);
    }
    if (fuzz_ok(channel_name_check(text, &err), &err))
        check_target_path(text, "1.0");
    if (fuzz_ok(release_version_check(text, &err), &err))
        check_target_path("crs", text);
    if (fuzz_ok(text_cohort_check(text, &err), &err))
        FUZZ_CHECK(path_check(text, NULL) == 0 || strlen(text) > 255);
    check_clean(text);
    free(text);
    return 0;
}

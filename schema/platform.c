/* platform: what a device is built on, and the cohort that follows from it. */
#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "checkin_parts.h"
#include "field.h"
#include "text.h"

static const struct field fields[] = {
    FIELD_TEXT(struct platform, os, "os", text_word_check),
    FIELD_TEXT(struct platform, os_version, "os_version", text_word_check),
    FIELD_TEXT(struct platform, arch, "arch", text_word_check),
    FIELD_TEXT_OR_NONE(struct platform, label, "label", text_word_check),
    {0},
};

/* Length of the cohort's name, as snprintf tells it. */
static int format_cohort(const struct platform *p, char *ret, size_t size)
{
    bool usual = strcmp(p->arch, "x86_64") == 0;

    return snprintf(ret, size, "%s-%s%s%s%s%s", p->os, p->os_version, usual ? "" : "-",
                    usual ? "" : p->arch, p->label[0] ? "/" : "", p->label);
}

void platform_cohort(const struct platform *p, char ret[COHORT_NAME_MAX])
{
    format_cohort(p, ret, COHORT_NAME_MAX);
}

int platform_read(const json_t *o, const char *what, struct platform *ret, struct err *err)
{
    char where[96];
    json_t *v;
    int r = jsonx_object(o, what, "platform", &v, err);

    if (r < 0)
        return r;
    snprintf(where, sizeof where, "%s: platform", what);
    r = field_read(v, where, fields, ret, err);
    /* Two builds must not become one cohort by being cut. */
    if (r == 0 && format_cohort(ret, NULL, 0) >= COHORT_NAME_MAX)
        r = err_set(err, ERR_INVALID, "%s: cohort name is longer than %d bytes", where,
                    COHORT_NAME_MAX - 1);
    return r;
}

int platform_write(json_t *o, const char *what, const struct platform *p, struct err *err)
{
    json_t *v = json_object();
    int r = field_set(o, "platform", v, err);

    return r < 0 ? r : field_write(v, what, fields, p, err);
}

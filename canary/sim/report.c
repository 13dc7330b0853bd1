#include "report.h"

#include "base/file.h"
#include "report_draw.h"

#define REPORT_MODE 0644

int report_play(const struct scenario *s, const struct policy *p, uint64_t seed, const void *ctx,
                struct outcome *ret, struct err *err)
{
    const struct report_file *file = ctx;
    struct report report;
    struct svg svg = {.failed = 0};
    int r = report_sample(s, p, seed, file->seed, &report, err);

    if (r < 0)
        goto out;
    report_draw(&report, &svg);
    if (svg.failed)
        r = err_set(err, (enum err_code) - svg.failed, "the picture does not fit in memory");
    else
        r = file_write_durable(file->path, svg.out.data, svg.out.len, REPORT_MODE, err);
    if (r == 0)
        *ret = report.runs[REPORT_GATE].outcome;
    svg_release(&svg);
out:
    report_release(&report);
    return r;
}

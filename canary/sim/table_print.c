/* Results for people and for programs. */
#include <math.h>
#include <string.h>

#include "table.h"

/* ---- JSON ---- */

static json_t *number(double v)
{
    return v < 0.0 ? json_null() : json_real(v);
}

static json_t *spread_json(const struct table_spread *s, const char *high)
{
    return json_pack("{s:o,s:o}", "p50", number(s->p50), high,
                     number(strcmp(high, "p95") == 0 ? s->p95 : s->p99));
}

json_t *table_json(const struct table_row *r)
{
    double n = r->seeds;

    return json_pack(
        "{s:s,s:s,s:I,s:i,s:o,s:o,s:o,s:o,s:o,s:o,s:f,s:o,s:o,s:f,s:i,s:f,s:f,s:f,s:f,s:f,s:i,s:f}",
        "scenario", r->scenario, "policy", r->policy, "fleet", (json_int_t)r->fleet, "seeds",
        r->seeds, "harm", spread_json(&r->harm, "p99"), "stuck", spread_json(&r->stuck, "p99"),
        "exposed", spread_json(&r->exposed, "p99"), "ask_min", spread_json(&r->ask_min, "p99"),
        "exposed_at_halt", spread_json(&r->exposed_at_halt, "p99"), "halt_min",
        spread_json(&r->halt_min, "p99"), "p_halt", r->halts / n, "halted_cohorts",
        number(r->halted_cohorts.p50), "complete_min", spread_json(&r->complete_min, "p95"),
        "p_complete", r->complete_min.n / n, "false_halts", r->false_halts, "unproven",
        r->unproven / n, "asked", r->asked / n, "paused", r->paused / n, "warned", r->warned / n,
        "passed_cr", r->passed_cr / n, "ticks_admitted_while_paused", r->admitted_paused,
        "peak_checkins_s", r->peak_checkins);
}

/* ---- for people ---- */

static void cell(FILE *out, int width, double v)
{
    if (v < 0.0)
        fprintf(out, " %*s", width, "-");
    else if (v >= 1e6)
        fprintf(out, " %*.2fM", width - 1, v / 1e6);
    else if (v >= 1e4)
        fprintf(out, " %*.0fk", width - 1, v / 1e3);
    else if (v >= 10.0 || v == floor(v))
        fprintf(out, " %*.0f", width, v);
    else
        fprintf(out, " %*.1f", width, v);
}

static void share(FILE *out, int width, double v)
{
    if (v < 0.0)
        fprintf(out, " %*s", width, "-");
    else
        fprintf(out, " %*.2f", width - 2, 100.0 * v), fprintf(out, " %%");
}

void table_print_heading(FILE *out)
{
    fprintf(out,
            "%-8s %-8s %7s | %13s | %13s | %8s | %8s | %13s | %8s %8s | %8s %8s | %6s\n%-6s %-10s "
            "%7s | %6s %6s | %6s %6s | %8s | %8s | %6s %6s | %8s %8s | %8s %8s | %6s\n",
            "scenario", "", "", "crashed", "min to halt", "exposed", "", "min to 100 %", "false",
            "without", "a person", "", "check-", "", "policy", "fleet", "p50", "p99", "p50", "p99",
            "at halt", "halted", "p50", "p95", "halts", "proof", "asked", "paused", "ins/s");
}

void table_print(FILE *out, const struct table_row *r, const struct scenario_targets *t)
{
    double n = r->seeds;

    fprintf(out, "%-6s %-10s", r->scenario, r->policy);
    cell(out, 7, (double)r->fleet);
    fprintf(out, " |");
    cell(out, 6, r->harm.p50);
    cell(out, 6, r->harm.p99);
    fprintf(out, " |");
    cell(out, 6, r->halt_min.p50);
    cell(out, 6, r->halt_min.p99);
    fprintf(out, " |");
    cell(out, 8, r->exposed_at_halt.p50);
    fprintf(out, " |");
    share(out, 8, r->halts / n);
    fprintf(out, " |");
    cell(out, 6, r->complete_min.p50);
    cell(out, 6, r->complete_min.p95);
    fprintf(out, " |");
    cell(out, 8, r->false_halts);
    share(out, 8, r->unproven / n);
    fprintf(out, " |");
    share(out, 8, r->asked / n);
    share(out, 8, r->paused / n);
    fprintf(out, " |");
    cell(out, 6, r->peak_checkins);
    fprintf(out, "\n");
    if (!t)
        return;
    fprintf(out, "%-6s %-10s %7s |", "", "at most", "");
    cell(out, 6, t->harm_p50);
    cell(out, 6, t->harm_p99);
    fprintf(out, " |");
    cell(out, 6, t->halt_p50);
    cell(out, 6, t->halt_p99);
    fprintf(out, " | %8s |", "");
    share(out, 8, t->p_halt_max >= 0.0 ? t->p_halt_max : t->p_halt_min);
    fprintf(out, " |");
    cell(out, 6, t->complete_p50);
    cell(out, 6, t->complete_p95);
    fprintf(out, " | %8s", "");
    share(out, 8, t->unproven_max);
    fprintf(out, " | %8s %8s |", "", "");
    cell(out, 6, t->peak_max);
    fprintf(out, "\n");
}

int table_print_missed(FILE *out, const struct table_row *r, const struct scenario_targets *t)
{
    double n = r->seeds;
    const struct {
        const char *name;
        double got, want;
    } most[] = {
        {"crashed p50", r->harm.p50, t->harm_p50},
        {"crashed p99", r->harm.p99, t->harm_p99},
        {"minutes to halt p50", r->halt_min.p50, t->halt_p50},
        {"minutes to halt p99", r->halt_min.p99, t->halt_p99},
        {"minutes to 100 % p50", r->complete_min.p50, t->complete_p50},
        {"minutes to 100 % p95", r->complete_min.p95, t->complete_p95},
        {"share halted", r->halts / n, t->p_halt_max},
        {"share without proof", r->unproven / n, t->unproven_max},
        {"check-ins a second", r->peak_checkins, t->peak_max},
    };
    int missed = 0;

    for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++)
        if (most[i].want >= 0.0 && most[i].got > most[i].want) {
            fprintf(out, "%s of %lld: %s %.4g, target at most %.4g\n", r->scenario,
                    (long long)r->fleet, most[i].name, most[i].got, most[i].want);
            missed++;
        }
    if (t->p_halt_min >= 0.0 && r->halts / n < t->p_halt_min) {
        fprintf(out, "%s of %lld: share halted %.4g, target at least %.4g\n", r->scenario,
                (long long)r->fleet, r->halts / n, t->p_halt_min);
        missed++;
    }
    return missed;
}

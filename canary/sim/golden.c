#include "golden.h"

#include <math.h>
#include <string.h>

#include "eprocess.h"
#include "gate.h"
#include "tolerance.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

struct counts {
    int64_t n_t, f_t, n_c, f_c;
};

static const struct counts batches[] = {
    {12, 12, 60000, 20},
    {1, 1, 170000, 60},
    {16, 0, 7000000, 2400},
    {1000, 3, 50000, 17},
    {1000, 1000, 20000, 20000},
    {1000, 500, 20000, 10000},
    {68000, 14, 7400000, 740},
    {850000, 100, 6500000, 400},
    {5, 2, 3, 1},
    {4, 3, 40, 1},
    {30, 6, 300, 9},
};

/* One after the other into one e-process. */
static const struct counts process[] = {
    {16, 0, 7000000, 2400},     {1000, 3, 50000, 17},  {1000, 6, 50000, 17},
    {1000, 1000, 20000, 20000}, {2000, 12, 50000, 17},
};

static const struct {
    struct counts of;
    double rho;
} margins[] = {{{68000, 7, 7400000, 740}, 3.0}, {{600000, 60, 6800000, 680}, 1.5}};

static const double shares[] = {0.0, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, .01, .1, .5, .95};

static const struct {
    int64_t f, n;
} pauses[] = {{5, 60}, {5, 200}, {40, 1000}, {240, 10000}};

static json_t *counts_json(const struct counts *c)
{
    return json_pack("[I,I,I,I]", (json_int_t)c->n_t, (json_int_t)c->f_t, (json_int_t)c->n_c,
                     (json_int_t)c->f_c);
}

static json_t *batches_json(void)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < N(batches); i++) {
        const struct counts *c = &batches[i];
        json_t *log_e = json_array();
        double e[N_OMEGA];

        batch_log_e(c->n_t, c->f_t, c->n_c, c->f_c, e);
        for (int j = 0; j < N_OMEGA; j++)
            json_array_append_new(log_e, json_real(e[j]));
        json_array_append_new(list,
                              json_pack("{s:o,s:o}", "counts", counts_json(c), "log_e", log_e));
    }
    return list;
}

static json_t *process_json(void)
{
    json_t *list = json_array();
    struct eprocess e;

    eprocess_init(&e);
    for (size_t i = 0; list && i < N(process); i++) {
        const struct counts *c = &process[i];
        double log_e[N_OMEGA];

        batch_log_e(c->n_t, c->f_t, c->n_c, c->f_c, log_e);
        json_array_append_new(list, json_pack("{s:o,s:f}", "counts", counts_json(c), "log_E",
                                              eprocess_add(&e, log_e)));
    }
    return list;
}

static json_t *margins_json(void)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < N(margins); i++) {
        const struct counts *c = &margins[i].of;

        json_array_append_new(
            list, json_pack("{s:o,s:f,s:f}", "counts", counts_json(c), "rho", margins[i].rho,
                            "log_e", batch_log_ni(c->n_t, c->f_t, c->n_c, c->f_c, margins[i].rho)));
    }
    return list;
}

static json_t *hostile_json(void)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < N(shares); i++)
        json_array_append_new(list, json_pack("{s:f,s:I}", "share", shares[i], "h",
                                              (json_int_t)tolerance_hostile(100, shares[i])));
    return list;
}

/* P(Bin(n, b) >= f) falls to eps at the exact lower bound b of f/n. */
static double lower_bound(int64_t n, int64_t f, double eps)
{
    double lo = 0.0, hi = (double)f / (double)n;

    for (int i = 0; i < 100; i++) {
        double mid = (lo + hi) / 2.0;

        if (tolerance_binomial_tail(n, mid, f) < eps)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static json_t *pauses_json(void)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < N(pauses); i++)
        json_array_append_new(list, json_pack("{s:I,s:I,s:f}", "silent", (json_int_t)pauses[i].f,
                                              "controls", (json_int_t)pauses[i].n, "lower",
                                              lower_bound(pauses[i].n, pauses[i].f, 0.01)));
    return list;
}

json_t *golden_json(void)
{
    json_t *omega = json_array();

    for (int j = 0; j < N_OMEGA; j++)
        json_array_append_new(omega, json_real(eprocess_omega[j]));
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "omega", omega, "batches", batches_json(),
                     "process", process_json(), "margins", margins_json(), "hostile",
                     hostile_json(), "pause", pauses_json());
}

static void print_counts(FILE *out, const struct counts *c)
{
    fprintf(out, "(%lld, %lld, %lld, %lld)", (long long)c->n_t, (long long)c->f_t,
            (long long)c->n_c, (long long)c->f_c);
}

static void print_batches(FILE *out)
{
    fprintf(out, "# nT fT nC fC | log e for omega = [");
    for (int j = 0; j < N_OMEGA; j++)
        fprintf(out, "%s%.9g", j ? ", " : "", eprocess_omega[j]);
    fprintf(out, "]\n");
    for (size_t i = 0; i < N(batches); i++) {
        const struct counts *c = &batches[i];
        double e[N_OMEGA];

        batch_log_e(c->n_t, c->f_t, c->n_c, c->f_c, e);
        print_counts(out, c);
        for (int j = 0; j < N_OMEGA; j++)
            fprintf(out, "%s%.9f", j ? ", " : " [", e[j]);
        fprintf(out, "]\n");
    }
}

static void print_process(FILE *out)
{
    struct eprocess e;

    eprocess_init(&e);
    for (size_t i = 0; i < N(process); i++) {
        const struct counts *c = &process[i];
        double log_e[N_OMEGA];

        batch_log_e(c->n_t, c->f_t, c->n_c, c->f_c, log_e);
        fprintf(out, "# e-process after ");
        print_counts(out, c);
        fprintf(out, " log E = %.9f\n", eprocess_add(&e, log_e));
    }
}

void golden_print(FILE *out)
{
    print_batches(out);
    print_process(out);
    for (size_t i = 0; i < N(margins); i++) {
        const struct counts *c = &margins[i].of;

        fprintf(out, "# NI: ");
        print_counts(out, c);
        fprintf(out, " rho %g -> %.9f\n", margins[i].rho,
                batch_log_ni(c->n_t, c->f_t, c->n_c, c->f_c, margins[i].rho));
    }
    fprintf(out, "# write-off h(x), n_adv=100, eps=1e-4:");
    for (size_t i = 0; i < N(shares); i++)
        fprintf(out, "%s %g: %lld", i ? "," : "", shares[i],
                (long long)tolerance_hostile(100, shares[i]));
    fprintf(out, "\n");
    for (size_t i = 0; i < N(pauses); i++)
        fprintf(out, "# pause lower 99%% bound of %lld/%lld = %.9f\n", (long long)pauses[i].f,
                (long long)pauses[i].n, lower_bound(pauses[i].n, pauses[i].f, 0.01));
}

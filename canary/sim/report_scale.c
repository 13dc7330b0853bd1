#include "report_scale.h"

#include <math.h>
#include <stdio.h>

#include "text.h"

#define ZERO_GAP   16.0 /* pixels between 0 and 1 on a scale of counts */
#define MAX_PLACES 16

struct scale scale_of_counts(double most, double from, double to)
{
    struct scale s = {.log = true, .lo = 1.0, .hi = 10.0, .from = from, .to = to};

    while (s.hi < most)
        s.hi *= 10.0;
    return s;
}

double scale_at(const struct scale *s, double v)
{
    double first = s->from + (s->to > s->from ? ZERO_GAP : -ZERO_GAP);

    if (!s->log)
        return s->from + (v - s->lo) / (s->hi - s->lo) * (s->to - s->from);
    if (v < s->lo)
        return s->from;
    return first + log10(v / s->lo) / log10(s->hi / s->lo) * (s->to - first);
}

static int even_ticks(double lo, double hi, double step, double ret[SCALE_MAX_TICKS])
{
    int n = 0;

    for (double k = ceil(lo / step - 1e-9); k * step <= hi * (1.0 + 1e-9) && n < SCALE_MAX_TICKS;
         k += 1.0)
        ret[n++] = k == 0.0 ? 0.0 : k * step; /* no -0 */
    return n;
}

int scale_ticks(const struct scale *s, int most, double ret[SCALE_MAX_TICKS])
{
    static const double round[] = {1.0, 2.0, 5.0};
    int n = 0;

    if (s->log) {
        ret[n++] = 0.0;
        for (double v = s->lo; v <= s->hi && n < SCALE_MAX_TICKS; v *= 10.0)
            ret[n++] = v;
        return n;
    }
    for (double unit = 0.1; unit < 1e12; unit *= 10.0)
        for (int i = 0; i < 3; i++)
            if ((s->hi - s->lo) / (unit * round[i]) <= most)
                return even_ticks(s->lo, s->hi, unit * round[i], ret);
    return 0;
}

int scale_minutes(const struct scale *s, int most, double ret[SCALE_MAX_TICKS])
{
    static const double steps[] = {1.0 / 12, 1.0 / 6, 0.5,   1.0,   2.0,   5.0,   10.0,  15.0,
                                   30.0,     60.0,    120.0, 180.0, 240.0, 360.0, 720.0, 1440.0};

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if ((s->hi - s->lo) / steps[i] <= most)
            return even_ticks(s->lo, s->hi, steps[i], ret);
    return even_ticks(s->lo, s->hi, (s->hi - s->lo) / most, ret);
}

const char *scale_count(double n, char ret[SCALE_WORDS_MAX])
{
    struct text t = text_in(ret, SCALE_WORDS_MAX);

    text_count(&t, (int64_t)llround(n));
    return ret;
}

const char *scale_number(double n, char ret[SCALE_WORDS_MAX])
{
    snprintf(ret, SCALE_WORDS_MAX, "%.6g", n);
    return ret;
}

const char *scale_duration(double min, char ret[SCALE_WORDS_MAX])
{
    long long whole = llround(min);

    if (min < 2.0)
        snprintf(ret, SCALE_WORDS_MAX, "%lld s", llround(min * 60.0));
    else if (min < 9.95)
        snprintf(ret, SCALE_WORDS_MAX, "%.1f min", min);
    else if (whole < 120)
        snprintf(ret, SCALE_WORDS_MAX, "%lld min", whole);
    else if (whole % 60 == 0)
        snprintf(ret, SCALE_WORDS_MAX, "%lld h", whole / 60);
    else
        snprintf(ret, SCALE_WORDS_MAX, "%lld h %lld min", whole / 60, whole % 60);
    return ret;
}

const char *scale_tick_words(double min, double step, char ret[SCALE_WORDS_MAX])
{
    if (min == 0.0)
        snprintf(ret, SCALE_WORDS_MAX, "0");
    else if (step < 1.0 && min < 2.0)
        snprintf(ret, SCALE_WORDS_MAX, "%lld s", llround(min * 60.0));
    else if (step < 60.0)
        snprintf(ret, SCALE_WORDS_MAX, "%.4g min", min);
    else
        snprintf(ret, SCALE_WORDS_MAX, "%.4g h", min / 60.0);
    return ret;
}

void scale_spread(double *places, int n, double gap, double lo, double hi)
{
    int order[MAX_PLACES];
    double at = lo;

    if (n > MAX_PLACES)
        n = MAX_PLACES;
    for (int i = 0; i < n; i++) {
        int k = i;

        for (; k > 0 && places[order[k - 1]] > places[i]; k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
    for (int i = 0; i < n; i++) {
        places[order[i]] = fmax(places[order[i]], at);
        at = places[order[i]] + gap;
    }
    at = hi;
    for (int i = n - 1; i >= 0; i--) {
        places[order[i]] = fmin(places[order[i]], at);
        at = places[order[i]] - gap;
    }
}

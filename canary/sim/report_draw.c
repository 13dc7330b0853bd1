#include "report_draw.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report_scale.h"
#include "report_style.h"
#include "text.h"

#define WIDTH        1000.0
#define LEFT         104.0
#define RIGHT        800.0 /* of the panels; labels of lines come after it */
#define EDGE         28.0  /* of texts */
#define LINE         19.0
#define PANEL        176.0
#define TITLE_CHARS  74
#define TEXT_CHARS   132
#define LABEL_GAP    16.0
#define END_SIZE     4.5
#define MAX_POINTS   2000
#define BEYOND       1.04 /* the axis goes on a little after the last that happened */
#define MIN_SPAN_MIN 0.5
#define CLIP         1.9 /* evidence beyond so many thresholds is only told */

/* Drawn in this order, the gate last: on top. */
static const struct look {
    const char *label, *line, *text, *end;
} looks[REPORT_RUNS] = {
    [OTHER_PUSH] = {"one push", "run push", "tpush", "pushend"},
    [OTHER_GROUPS] = {"groups", "run groups", "tgroups", "groupsend"},
    [OTHER_WAVES] = {"waves", "run waves", "twaves", "wavesend"},
    [REPORT_GATE] = {"Firebreak", "run gate", "tgate", "gateend"},
};

struct page {
    const struct report *r;
    struct svg *svg;
    double y;    /* next free */
    double span; /* minutes on the axis of the runs */
};

/* ---- words ---- */

static void say_gate(const struct report *r, struct text *t)
{
    const struct outcome *o = &r->runs[REPORT_GATE].outcome;
    const char *falsely = r->good ? " falsely" : "";
    char at[SCALE_WORDS_MAX], done[SCALE_WORDS_MAX];

    scale_duration(o->halt_min, at);
    scale_duration(o->complete_min, done);
    if (o->halt_min >= 0.0 && o->halted_cohorts < r->builds)
        text_add(t, "halted%s on %d of %d builds after %s", falsely, o->halted_cohorts, r->builds,
                 at);
    else if (o->halt_min >= 0.0)
        text_add(t, "halted%s after %s", falsely, at);
    if (o->complete_min >= 0.0)
        text_add(t, "%scomplete after %s", o->halt_min >= 0.0 ? "; " : "", done);
    else if (o->halt_min < 0.0 && o->ask_min >= 0.0)
        text_add(t, "asks a person after %s; nobody more gets it", scale_duration(o->ask_min, at));
    else if (o->halt_min < 0.0)
        text_add(t, "still under way when the scenario ends");
}

static void say_other(const struct report *r, int run, struct text *t)
{
    const struct outcome *o = &r->runs[run].outcome;
    const char *falsely = r->good ? " falsely" : "";
    char at[SCALE_WORDS_MAX];

    if (o->complete_min >= 0.0)
        text_add(t, "complete after %s", scale_duration(o->complete_min, at));
    if (o->halt_min >= 0.0)
        text_add(t, "%s%s%s after %s", o->complete_min >= 0.0 ? "; " : "",
                 o->by_person ? "recalled by a person" : "stopped by its own rule", falsely,
                 scale_duration(o->halt_min, at));
    else if (o->complete_min >= 0.0 && o->harm > 0)
        text_add(t, "; nobody notices in a day");
    else if (o->complete_min < 0.0)
        text_add(t, "stalls: goes on waiting for acknowledgements");
}

void report_run_words(const struct report *r, int run, char ret[REPORT_WORDS_MAX])
{
    struct text t = text_in(ret, REPORT_WORDS_MAX);

    if (run == REPORT_GATE)
        say_gate(r, &t);
    else
        say_other(r, run, &t);
}

static const char *name_of(int run)
{
    return run == REPORT_GATE ? "Firebreak" : other_title((enum other_kind)run);
}

/* Below each other, at most `chars` wide; the first line where page->y is. */
static void paragraph(struct page *p, const char *cls, double x, double line, int chars,
                      const char *text)
{
    do {
        size_t n = svg_wrap(text, chars);

        svg_text(p->svg, cls, SVG_START, x, p->y, "%.*s", (int)n, text);
        p->y += line;
        for (text += n; *text == ' ';)
            text++;
    } while (*text);
}

static void heading(struct page *p)
{
    char text[SCENARIO_NAME_MAX + SCENARIO_TEXT_MAX + 8], fleet[SCALE_WORDS_MAX];

    snprintf(text, sizeof(text), "%s: %s", p->r->scenario, p->r->text);
    p->y = 44.0;
    paragraph(p, "title", EDGE, 27.0, TITLE_CHARS, text);
    p->y -= 3.0;
    svg_text(p->svg, "muted", SVG_START, EDGE, p->y,
             "%s devices, %d platform builds; policy %s, seed %llu; simulated by firebreak-sim",
             scale_count((double)p->r->fleet, fleet), p->r->builds, p->r->policy,
             (unsigned long long)p->r->seed);
    p->y += 34.0;
}

/* ---- the table: figures, and at the same time the key to the lines ---- */

static void table_row(struct page *p, int run)
{
    const struct report_run *of = &p->r->runs[run];
    const struct svg_point line[] = {{EDGE, p->y - 4.5}, {EDGE + 44.0, p->y - 4.5}};
    const char *bold = run == REPORT_GATE ? "strong" : "plain";
    char cls[32], words[REPORT_WORDS_MAX], n[SCALE_WORDS_MAX];

    snprintf(cls, sizeof(cls), "num %s", bold);
    report_run_words(p->r, run, words);
    svg_polyline(p->svg, looks[run].line, line, 2);
    svg_text(p->svg, bold, SVG_START, EDGE + 56.0, p->y, "%s", name_of(run));
    svg_text(p->svg, cls, SVG_END, 320.0, p->y, "%s", scale_count((double)of->outcome.exposed, n));
    svg_text(p->svg, cls, SVG_END, 424.0, p->y, "%s", scale_count((double)of->outcome.harm, n));
    svg_text(p->svg, bold, SVG_START, 452.0, p->y, "%s", words);
    p->y += 23.0;
}

static void table(struct page *p)
{
    svg_text(p->svg, "small", SVG_END, 320.0, p->y, "got the release");
    svg_text(p->svg, "small", SVG_END, 424.0, p->y, "crashed by it");
    svg_text(p->svg, "small", SVG_START, 452.0, p->y, "what happened");
    svg_line(p->svg, "axis", EDGE, p->y + 8.0, WIDTH - EDGE, p->y + 8.0);
    p->y += 28.0;
    table_row(p, REPORT_GATE);
    for (int k = 0; k < N_OTHERS; k++)
        table_row(p, k);
    p->y += 22.0;
}

/* ---- panels ---- */

static void minutes_axis(struct svg *svg, const struct scale *x, double top, double bottom)
{
    double at[SCALE_MAX_TICKS];
    int n = scale_minutes(x, 9, at);
    char words[SCALE_WORDS_MAX];

    for (int i = 0; i < n; i++) {
        svg_line(svg, "grid", scale_at(x, at[i]), top, scale_at(x, at[i]), bottom);
        svg_text(svg, "small", SVG_MIDDLE, scale_at(x, at[i]), bottom + 17.0, "%s",
                 scale_tick_words(at[i], n > 1 ? at[1] - at[0] : 1.0, words));
    }
}

static void values_axis(struct svg *svg, const struct scale *y, int most)
{
    double at[SCALE_MAX_TICKS];
    int n = scale_ticks(y, most, at);
    char words[SCALE_WORDS_MAX];

    for (int i = 0; i < n; i++) {
        double py = scale_at(y, at[i]);

        svg_line(svg, "grid", LEFT, py, RIGHT, py);
        svg_text(svg, "small", SVG_END, LEFT - 8.0, py + 4.0, "%s",
                 y->log ? scale_count(at[i], words) : scale_number(at[i], words));
    }
    svg_line(svg, "axis", LEFT, y->from, RIGHT, y->from);
}

/* Draws what lies within the axis; points that would not be seen apart are left out. */
struct pen {
    struct svg_point points[MAX_POINTS];
    int n;
};

static void pen_to(struct pen *pen, double x, double y)
{
    struct svg_point *fixed = pen->n > 1 ? &pen->points[pen->n - 2] : NULL;
    bool near = fixed && x - fixed->x < 0.7 && fabs(fixed->y - y) < 0.7;
    bool flat = fixed && fabs(fixed->y - y) < 0.05 && fabs(fixed[1].y - fixed->y) < 0.05;

    /* The last point may still move: it is held against the one before, which stays. */
    if (near || flat || pen->n == MAX_POINTS)
        pen->points[pen->n - 1] = (struct svg_point){x, y};
    else
        pen->points[pen->n++] = (struct svg_point){x, y};
}

static double crashed_of(const struct report_point *at)
{
    return at->crashed;
}

static double exposed_of(const struct report_point *at)
{
    return at->exposed;
}

static double value_at(const struct report_run *run, double (*of)(const struct report_point *),
                       double min)
{
    double v = 0.0;

    for (int i = 0; i < run->n_points && run->points[i].min <= min; i++)
        v = of(&run->points[i]);
    return v;
}

/* A square where it was stopped, a disc where it was complete. */
static void draw_end(const struct page *p, int run, const struct scale *x, const struct scale *y,
                     double (*of)(const struct report_point *))
{
    const struct report_run *r = &p->r->runs[run];
    const struct outcome *o = &r->outcome;
    double px, py;

    if (o->complete_min >= 0.0 && o->complete_min <= x->hi) {
        px = scale_at(x, o->complete_min);
        py = scale_at(y, value_at(r, of, o->complete_min));
        svg_circle(p->svg, looks[run].end, px, py, END_SIZE);
    }
    if (o->halt_min >= 0.0 && o->halt_min <= x->hi) {
        px = scale_at(x, o->halt_min);
        py = scale_at(y, value_at(r, of, o->halt_min));
        svg_rect(p->svg, looks[run].end, px - END_SIZE, py - END_SIZE, 2.0 * END_SIZE,
                 2.0 * END_SIZE);
    }
}

static void draw_run(const struct page *p, int run, const struct scale *x, const struct scale *y,
                     double (*of)(const struct report_point *))
{
    const struct report_run *r = &p->r->runs[run];
    struct pen pen = {.n = 0};
    double last = scale_at(y, value_at(r, of, x->hi));

    for (int i = 0; i < r->n_points && r->points[i].min <= x->hi; i++)
        pen_to(&pen, scale_at(x, r->points[i].min), scale_at(y, of(&r->points[i])));
    pen_to(&pen, scale_at(x, x->hi), last); /* nothing changes after its end */
    svg_polyline(p->svg, looks[run].line, pen.points, pen.n);
    draw_end(p, run, x, y, of);
}

static void label_runs(const struct page *p, const struct scale *x, const struct scale *y,
                       double (*of)(const struct report_point *))
{
    double at[REPORT_RUNS];
    char n[SCALE_WORDS_MAX];

    for (int i = 0; i < REPORT_RUNS; i++)
        at[i] = scale_at(y, value_at(&p->r->runs[i], of, x->hi));
    scale_spread(at, REPORT_RUNS, LABEL_GAP, y->to, y->from + 4.0);
    for (int i = 0; i < REPORT_RUNS; i++)
        svg_text(p->svg, looks[i].text, SVG_START, RIGHT + 10.0, at[i] + 4.5, "%s %s",
                 looks[i].label, scale_count(value_at(&p->r->runs[i], of, x->hi), n));
}

static double most_of(const struct report *r, double (*of)(const struct report_point *), double min)
{
    double most = 0.0;

    for (int i = 0; i < REPORT_RUNS; i++)
        most = fmax(most, value_at(&r->runs[i], of, min));
    return most;
}

/* ---- the strip of what happened, its numbers told at the end ---- */

static void draw_mark(struct svg *svg, enum report_event_kind kind, double x, double y, int number)
{
    switch (kind) {
    case REPORT_HALTED:
        svg_rect(svg, "stop", x - 9.0, y - 9.0, 18.0, 18.0);
        svg_text(svg, "onstop", SVG_MIDDLE, x, y + 4.0, "%d", number);
        return;
    case REPORT_WARNED:
    case REPORT_PAUSED:
    case REPORT_ASKED:
        svg_rect(svg, "hold", x - 8.5, y - 8.5, 17.0, 17.0);
        break;
    case REPORT_OPENED:
    case REPORT_COMPLETED:
    case REPORT_RESUMED:
        svg_circle(svg, "dot", x, y, 9.0);
        break;
    }
    svg_text(svg, "ondot", SVG_MIDDLE, x, y + 4.0, "%d", number);
}

/* Events on the axis; how many. */
static int place_events(const struct page *p, const struct scale *x, double ret[REPORT_MAX_EVENTS])
{
    int n = 0;

    while (n < p->r->n_events && p->r->events[n].min <= p->span) {
        ret[n] = scale_at(x, p->r->events[n].min);
        n++;
    }
    return n;
}

static void strip(struct page *p, const struct scale *x)
{
    double at[REPORT_MAX_EVENTS], places[REPORT_MAX_EVENTS];
    int n = place_events(p, x, at);

    place_events(p, x, places);
    scale_spread(places, n, 22.0, LEFT, RIGHT);
    svg_text(p->svg, "small", SVG_START, EDGE, p->y + 4.0, "Firebreak");
    for (int i = 0; i < n; i++) {
        svg_line(p->svg, "mark", places[i], p->y, at[i], p->y + 20.0);
        draw_mark(p->svg, p->r->events[i].kind, places[i], p->y, i + 1);
    }
    p->y += 20.0;
}

/* Down through a panel. */
static void event_lines(const struct page *p, const struct scale *x, const struct scale *y)
{
    double at[REPORT_MAX_EVENTS];
    int n = place_events(p, x, at);

    for (int i = 0; i < n; i++)
        svg_line(p->svg, "mark", at[i], y->to, at[i], y->from);
}

static void runs_panel(struct page *p, bool first, const char *title,
                       double (*of)(const struct report_point *))
{
    const struct scale x = {.lo = 0.0, .hi = p->span, .from = LEFT, .to = RIGHT};
    struct scale y;

    svg_text(p->svg, "head", SVG_START, EDGE, p->y, "%s", title);
    svg_text(p->svg, "small", SVG_END, RIGHT, p->y,
             "logarithmic; \xe2\x96\xa0 stopped  "
             "\xe2\x97\x8f complete");
    p->y += first ? 24.0 : 14.0;
    if (first)
        strip(p, &x);
    y = scale_of_counts(most_of(p->r, of, p->span), p->y + PANEL, p->y);
    minutes_axis(p->svg, &x, y.to, y.from);
    values_axis(p->svg, &y, 0);
    event_lines(p, &x, &y);
    for (int i = 0; i < REPORT_RUNS; i++)
        draw_run(p, i, &x, &y, of);
    label_runs(p, &x, &y, of);
    p->y += PANEL + 46.0;
}

/* ---- in words ---- */

static void events(struct page *p)
{
    svg_text(p->svg, "head", SVG_START, EDGE, p->y, "What Firebreak did, and why");
    p->y += 26.0;
    for (int i = 0; i < p->r->n_events; i++) {
        const struct report_event *e = &p->r->events[i];
        char at[SCALE_WORDS_MAX], text[sizeof(e->text) + SCALE_WORDS_MAX];

        draw_mark(p->svg, e->kind, EDGE + 10.0, p->y - 4.5, i + 1);
        snprintf(text, sizeof(text), "%s: %s", scale_duration(e->min, at), e->text);
        paragraph(p, "plain", EDGE + 32.0, LINE - 2.0, TEXT_CHARS, text);
        p->y += 7.0;
    }
    if (p->r->n_events == 0)
        paragraph(p, "plain", EDGE, LINE, TEXT_CHARS,
                  "It let devices in as acknowledgements came, and decided nothing else.");
    if (p->r->more_events > 0) {
        svg_text(p->svg, "muted", SVG_START, EDGE + 32.0, p->y, "and %d more", p->r->more_events);
        p->y += LINE;
    }
}

/* ---- evidence ---- */

static const char *const failures[N_METRICS] = {
    [METRIC_SF] = "no check-in after the permit",
    [METRIC_SA] = "silent for five check-ins",
    [METRIC_SL] = "silent for long",
    [METRIC_RB] = "not back from an announced reboot",
    [METRIC_CR] = "reported a crash",
};

static double highest_level(const struct report_evidence *e)
{
    double most = 0.0;

    for (int i = 0; i < e->n_levels; i++)
        most = fmax(most, fmax(e->levels[i].value, e->levels[i].limit));
    return most;
}

static double lowest_level(const struct report_evidence *e)
{
    double least = 0.0;

    for (int i = 0; i < e->n_levels; i++)
        least = fmin(least, e->levels[i].value);
    return floor(least);
}

/* To two digits. */
static double rounded(double v)
{
    double unit = pow(10.0, floor(log10(v)) - 1.0);

    return floor(v / unit) * unit;
}

static void evidence_heading(struct page *p)
{
    const struct report_evidence *e = &p->r->evidence;
    char text[256], n[SCALE_WORDS_MAX];
    const char *why = e->halted ? "Why it halted" : "What came nearest to a halt";

    if (e->direct) {
        svg_text(p->svg, "head", SVG_START, EDGE, p->y, "%s: direct evidence on %s", why, e->name);
        p->y += LINE;
        paragraph(p, "small", EDGE, LINE - 2.0, TEXT_CHARS,
                  "Devices that refused the release or rolled it back and blame it, against what "
                  "is tolerated. The limit grows with the devices that have it.");
    } else {
        svg_text(p->svg, "head", SVG_START, EDGE, p->y, "%s: %s of %s, %s", why, e->metric_name,
                 e->name,
                 e->metric < N_METRICS ? failures[e->metric] : "by the consumer's own figure");
        p->y += LINE;
        snprintf(text, sizeof(text),
                 "log E stays small while devices with the release fail like those that wait for "
                 "it. Chance takes it to the threshold in at most one of %s good releases.",
                 scale_count(rounded(exp(e->halt)), n));
        paragraph(p, "small", EDGE, LINE - 2.0, TEXT_CHARS, text);
    }
    p->y += 16.0;
}

static void draw_thresholds(struct page *p, const struct scale *x, const struct scale *y)
{
    const struct report_evidence *e = &p->r->evidence;
    struct pen pen = {.n = 0};
    double last;

    if (!e->direct) {
        svg_line(p->svg, "limit", LEFT, scale_at(y, e->halt), RIGHT, scale_at(y, e->halt));
        svg_line(p->svg, "warn", LEFT, scale_at(y, e->warn), RIGHT, scale_at(y, e->warn));
        svg_text(p->svg, "tlimit", SVG_START, RIGHT + 10.0, scale_at(y, e->halt) + 4.5,
                 "halts at %.1f", e->halt);
        svg_text(p->svg, "twarn", SVG_START, RIGHT + 10.0, scale_at(y, e->warn) + 4.5,
                 "warns at %.1f", e->warn);
        return;
    }
    for (int i = 0; i < e->n_levels; i++) {
        double py = scale_at(y, e->levels[i].limit);

        if (i > 0)
            pen_to(&pen, scale_at(x, e->levels[i].min), scale_at(y, e->levels[i - 1].limit));
        pen_to(&pen, scale_at(x, e->levels[i].min), py);
    }
    svg_polyline(p->svg, "limit", pen.points, pen.n);
    last = e->levels[e->n_levels - 1].limit;
    svg_text(p->svg, "tlimit", SVG_START, RIGHT + 10.0, scale_at(y, last) + 4.5, "limit %.0f",
             last);
}

static void draw_evidence(struct page *p, const struct scale *x, const struct scale *y)
{
    const struct report_evidence *e = &p->r->evidence;
    const struct report_level *top = &e->levels[0];
    struct pen pen = {.n = 0};
    char at[SCALE_WORDS_MAX];
    double px, py;

    pen_to(&pen, scale_at(x, 0.0), scale_at(y, 0.0));
    for (int i = 0; i < e->n_levels; i++) {
        const struct report_level *l = &e->levels[i];

        if (i > 0) /* it is known at the end of a tick, not before */
            pen_to(&pen, scale_at(x, l->min), scale_at(y, fmin(l[-1].value, y->hi)));
        pen_to(&pen, scale_at(x, l->min), scale_at(y, fmin(l->value, y->hi)));
        if (e->halted || l->value > top->value)
            top = l;
    }
    svg_polyline(p->svg, "run gate", pen.points, pen.n);
    px = scale_at(x, top->min);
    py = scale_at(y, fmin(top->value, y->hi));
    if (e->halted)
        svg_rect(p->svg, "stop", px - 7.0, py - 7.0, 14.0, 14.0);
    else
        svg_circle(p->svg, "gateend", px, py, END_SIZE);
    svg_text(p->svg, "tgate", px > (LEFT + RIGHT) / 2.0 ? SVG_END : SVG_START,
             px > (LEFT + RIGHT) / 2.0 ? px - 12.0 : px + 12.0, py - 11.0,
             e->direct ? "%.0f at %s%s%s" : "log E %.1f at %s%s%s", top->value,
             scale_duration(top->min, at), e->halted ? ": halted" : ", the highest",
             top->value > y->hi ? " (beyond this axis)" : "");
}

static void evidence_panel(struct page *p)
{
    const struct report_evidence *e = &p->r->evidence;
    struct scale x = {.lo = 0.0, .from = LEFT, .to = RIGHT}, y = {0};
    double most = highest_level(e);
    char words[SCALE_WORDS_MAX];

    evidence_heading(p);
    x.hi = fmax(e->levels[e->n_levels - 1].min * (e->halted ? 1.15 : 1.0), MIN_SPAN_MIN);
    y.lo = e->direct ? 0.0 : lowest_level(e);
    y.hi = e->direct ? most * 1.15 : fmax(fmin(most, e->halt * CLIP), e->halt) * 1.18;
    y.from = p->y + PANEL;
    y.to = p->y;
    svg_text(p->svg, "small", SVG_START, EDGE, p->y - 9.0, "%s%s%s",
             e->direct ? "devices" : "log E", x.hi < p->span / 2.0 ? "; enlarged, the first " : "",
             x.hi < p->span / 2.0 ? scale_duration(x.hi, words) : "");
    minutes_axis(p->svg, &x, y.to, y.from);
    values_axis(p->svg, &y, 7);
    draw_thresholds(p, &x, &y);
    draw_evidence(p, &x, &y);
    p->y += PANEL + 50.0;
}

/* ---- all of it ---- */

static double span_of(const struct report *r)
{
    double span = MIN_SPAN_MIN;

    for (int i = 0; i < REPORT_RUNS; i++)
        span = fmax(span, report_run_end(&r->runs[i]));
    return span * BEYOND;
}

static void draw_body(struct page *p)
{
    bool crashes = most_of(p->r, crashed_of, p->span) > 0.0;

    p->svg->failed = 0;
    svg_rect(p->svg, "page", 0.0, 0.0, WIDTH, p->y);
    heading(p);
    table(p);
    runs_panel(p, true, "Devices that got the release", exposed_of);
    if (crashes)
        runs_panel(p, false, "Devices that it crashed", crashed_of);
    evidence_panel(p);
    events(p);
    p->y += 10.0;
}

static void describe(const struct report *r, struct text *t)
{
    text_add(t, "%s. %lld devices, policy %s, seed %llu.", r->text, (long long)r->fleet, r->policy,
             (unsigned long long)r->seed);
    for (int k = REPORT_GATE; k >= 0; k--) {
        char words[REPORT_WORDS_MAX];

        report_run_words(r, k, words);
        text_add(t, " %s: ", name_of(k));
        text_count(t, r->runs[k].outcome.exposed);
        text_add(t, " devices got the release, ");
        text_count(t, r->runs[k].outcome.harm);
        text_add(t, " crashed by it; %s.", words);
    }
}

void report_draw(const struct report *r, struct svg *ret)
{
    char title[SCENARIO_NAME_MAX + 64], desc[1024];
    struct text t = text_in(desc, sizeof(desc));
    struct page p = {.r = r, .svg = ret, .span = span_of(r)};

    describe(r, &t);
    snprintf(title, sizeof(title), "Scenario %s under Firebreak's gate and without it",
             r->scenario);
    svg_begin(ret, WIDTH, 100.0, title, desc, REPORT_CSS);
    draw_body(&p);
    svg_release(ret); /* now the height is known */
    svg_begin(ret, WIDTH, p.y, title, desc, REPORT_CSS);
    draw_body(&p);
    svg_end(ret);
}

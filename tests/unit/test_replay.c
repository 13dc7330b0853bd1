/* record, replay: evidence by hand, whole rollouts to the bit, and what is refused. */
#include "cmocka_all.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "policy_file.h"
#include "replay_tell.h"
#include "run_record.h"

#define POLICIES  SOURCE_DIR "/canary/policies"
#define SCENARIOS SOURCE_DIR "/canary/sim/scenarios"

/* A file with this text, open for reading. */
static int file_of(const char *text)
{
    char path[] = "/tmp/firebreak-replay.XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void policy_of(const char *name, struct policy *ret)
{
    struct err err = {0};

    if (policy_read(POLICIES, name, NULL, ret, &err) < 0)
        fail_msg("%s", err.msg);
}

/* Everything that is told, as one list of JSON objects. */
static int replay(int fd, const struct policy *policy, json_t **ret_lines, bool *ret_halted,
                  struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    struct replay_teller teller = {.out = out, .json = true};
    struct record *record;
    struct replay *r = NULL;
    int got = 0, e = record_open_fd(fd, "x.jsonl", &record, err);

    if (e == 0)
        e = replay_new(record, policy ? policy : &record_head(record)->policy, &r, err);
    while (e == 0 && (got = replay_step(r, err)) > 0)
        e = replay_tell(&teller, r, err);
    e = e == 0 ? got : e;
    if (e == 0)
        e = replay_tell_final(&teller, r, !policy, err);
    if (e == 0)
        *ret_halted = replay_ends_halted(r);
    replay_free(r);
    fclose(out);
    *ret_lines = json_array();
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        json_array_append_new(*ret_lines, json_loads(line, 0, NULL));
    free(text);
    return e;
}

static const char *word(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "";
}

static double real(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

#define HEAD                                                                                       \
    "{\"policy\": \"standard\", \"cohorts\": [{\"name\": \"w-1\", \"os\": \"w\", \"size\": "       \
    "6000}, "                                                                                      \
    "{\"name\": \"l-1\", \"os\": \"l\", \"size\": 4000}]}\n"

/* {"tick", ...}: of w-1, stratum main */
#define LINE(tick, metric, nt, ft, nc, fc, admitted)                                               \
    "{\"tick\": " tick ", \"stratum\": \"main\", \"cohort\": \"w-1\", \"metric\": \"" metric       \
    "\", \"nT\": " nt ", \"fT\": " ft ", \"nC\": " nc ", \"fC\": " fc ", \"admitted\": " admitted  \
    "}\n"

static double log_e_of(const json_t *final, const char *node, const char *metric)
{
    size_t i;
    json_t *row;

    json_array_foreach (json_object_get(json_object_get(final, "final"), "log_e"), i, row)
        if (strcmp(word(row, "node"), node) == 0 && strcmp(word(row, "metric"), metric) == 0)
            return real(row, "log_e");
    fail_msg("no log E of %s %s", node, metric);
    return 0.0;
}

static void evidence_by_hand_is_judged_by_the_gate(void **state)
{
    int fd = file_of(HEAD LINE("7", "SF", "4", "0", "3000", "1", "4") "\n" LINE(
        "9", "SF", "12", "12", "3000", "2", "16") LINE("9", "CR", "12", "0", "3000", "0", "16")
                         LINE("12", "SA", "5", "0", "100", "0", "16"));
    struct policy p;
    struct topology t;
    struct gate *g = calloc(1, sizeof *g);
    struct batch batches[] = {{.metric = METRIC_SF, .n_t = 4, .n_c = 3000, .f_c = 1},
                              {.metric = METRIC_SF, .n_t = 12, .f_t = 12, .n_c = 3000, .f_c = 2}};
    int64_t admitted[GATE_MAX_COHORTS] = {4}, none[GATE_MAX_COHORTS] = {0};
    struct gate_facts f = {.batches = batches,
                           .n_batches = 1,
                           .admitted = admitted,
                           .direct = none,
                           .soaking = none,
                           .control_crashes = none,
                           .controls = none};
    struct gate_reason reasons[ROLLOUT_MAX_REASONS];
    bool halt[GATE_MAX_NODES], warn[GATE_MAX_NODES], pause, halted;
    json_t *lines, *line;
    struct err err = {0};

    (void)state;
    policy_of("standard", &p);
    if (replay(fd, &p, &lines, &halted, &err) < 0)
        fail_msg("%s", err.msg);
    assert_true(halted);
    assert_int_equal(json_array_size(lines), 2);
    line = json_array_get(lines, 0);
    assert_int_equal((int)real(line, "tick"), 9);
    assert_string_equal(word(line, "verdict"), "halt");
    assert_string_equal(word(line, "scope"), "fleet");
    assert_string_equal(word(line, "metric"), "SF");
    assert_string_equal(word(line, "node"), "fleet");
    assert_true(real(line, "log_e") >= real(line, "threshold"));
    assert_non_null(strstr(word(line, "reason"), "12 of 16 treated silent, 3 of 6,000 controls"));

    /* The same by hand. */
    memset(&t, 0, sizeof t);
    t.n_os = t.n_cohorts = 2;
    strcpy(t.os[0], "w");
    strcpy(t.os[1], "l");
    strcpy(t.cohorts[0].name, "w-1");
    strcpy(t.cohorts[1].name, "l-1");
    t.cohorts[0].size = 6000;
    t.cohorts[1] = (struct topology_cohort){.name = "l-1", .os = 1, .size = 4000};
    gate_init(g);
    gate_tick(g, &p, &t, &f, reasons, ROLLOUT_MAX_REASONS, halt, warn, &pause);
    admitted[0] = 16;
    f.batches = &batches[1];
    gate_tick(g, &p, &t, &f, reasons, ROLLOUT_MAX_REASONS, halt, warn, &pause);
    assert_true(real(line, "log_e") == g->log_e[METRIC_SF][0]);
    line = json_array_get(lines, 1);
    assert_true(log_e_of(line, "fleet", "SF") == g->log_e[METRIC_SF][0]);
    assert_true(log_e_of(line, "w-1", "SF") == g->log_e[METRIC_SF][TOPOLOGY_COHORT_NODE]);
    assert_true(log_e_of(line, "l-1", "SF") == 0.0);
    json_decref(lines);
    free(g);
}

#define OWN_HEAD                                                                                   \
    "{\"policy\": {\"name\": \"own\", \"version\": 1, \"rings\": [{\"share_ppm\": 1000000}], "     \
    "\"metrics\": [{\"name\": \"blocked\", \"limit\": 50, \"weight\": 0.2, \"halts\": true}]}, "   \
    "\"cohorts\": [{\"name\": \"w-1\", \"os\": \"w\", \"size\": 6000}]}\n"

static void metrics_of_the_policys_own_are_judged_where_it_asks(void **state)
{
    static const char text[] = OWN_HEAD LINE("1", "SF", "4", "0", "300", "0", "4")
        LINE("3", "blocked", "40", "39", "900", "5", "40");
    struct policy standard;
    json_t *lines;
    bool halted;
    struct err err = {0};

    (void)state;
    policy_of("standard", &standard);
    if (replay(file_of(text), NULL, &lines, &halted, &err) < 0)
        fail_msg("%s", err.msg);
    assert_true(halted);
    assert_string_equal(word(json_array_get(lines, 0), "metric"), "blocked");
    assert_true(log_e_of(json_array_get(lines, 1), "fleet", "blocked") > 10.0);
    json_decref(lines);

    if (replay(file_of(text), &standard, &lines, &halted, &err) < 0)
        fail_msg("%s", err.msg);
    assert_false(halted);
    json_decref(lines);

    assert_int_equal(replay(file_of(HEAD LINE("3", "blocked", "4", "0", "9", "0", "4")), &standard,
                            &lines, &halted, &err),
                     -ERR_INVALID);
    assert_string_equal(err.msg, "x.jsonl: line 2: 'blocked' is no known metric");
    json_decref(lines);
}

/* Ticks without a line pass, too: five clean ones end a pause, wherever the next line is. */
static void a_pause_ends_between_lines(void **state)
{
    int fd = file_of(HEAD LINE("3", "SF", "4", "0", "300", "60", "4")
                         LINE("900003", "SF", "4", "0", "300", "0", "8"));
    struct policy p;
    json_t *lines;
    bool halted;
    struct err err = {0};

    (void)state;
    policy_of("standard", &p);
    assert_int_equal(replay(fd, &p, &lines, &halted, &err), 0);
    assert_false(halted);
    assert_int_equal(json_array_size(lines), 3);
    assert_string_equal(word(json_array_get(lines, 0), "verdict"), "pause");
    assert_int_equal((int)real(json_array_get(lines, 0), "tick"), 3);
    assert_string_equal(word(json_array_get(lines, 1), "verdict"), "wait");
    assert_int_equal((int)real(json_array_get(lines, 1), "tick"), 8);
    json_decref(lines);
}

/* Direct evidence by hand: facts need not say all. */
static void facts_by_hand_say_what_they_know(void **state)
{
    int fd = file_of(
        HEAD LINE("1", "SF", "4", "0", "300", "0",
                  "40") "{\"tick\": 2, \"facts\": {\"cohorts\": {\"w-1\": {\"direct\": 9}}}}");
    struct policy p;
    json_t *lines;
    bool halted;
    struct err err = {0};

    (void)state;
    policy_of("standard", &p);
    if (replay(fd, &p, &lines, &halted, &err) < 0)
        fail_msg("%s", err.msg);
    assert_true(halted);
    assert_string_equal(word(json_array_get(lines, 0), "verdict"), "halt");
    assert_non_null(strstr(word(json_array_get(lines, 0), "reason"), "9 of 40 admitted"));
    json_decref(lines);
}

/* Of the same tick: the facts come first, how many were admitted may come with a batch. */
static void a_batch_may_say_what_its_facts_leave_out(void **state)
{
    int fd = file_of(HEAD "{\"tick\": 1, \"facts\": {\"cohorts\": {\"w-1\": {\"healthy\": 9, "
                          "\"soaking\": 30}}}}\n" LINE("1", "SF", "4", "0", "300", "0", "40"));
    struct policy p;
    json_t *lines;
    bool halted;
    struct err err = {0};

    (void)state;
    policy_of("standard", &p);
    if (replay(fd, &p, &lines, &halted, &err) < 0)
        fail_msg("%s", err.msg);
    assert_false(halted);
    json_decref(lines);
}

/* --- whole rollouts --------------------------------------------------------------------------- */

static int record_of(const char *scenario, int64_t fleet, const struct policy *p, uint64_t seed)
{
    char path[] = "/tmp/firebreak-record.XXXXXX";
    int fd = mkstemp(path);
    struct scenario *s = calloc(1, sizeof *s);
    struct outcome outcome;
    struct err err = {0};

    assert_true(fd >= 0);
    assert_int_equal(scenario_read(SCENARIOS, scenario, s, &err), 0);
    scenario_resize(s, fleet);
    if (run_record(s, p, seed, path, &outcome, &err) < 0)
        fail_msg("%s", err.msg);
    unlink(path); /* run_record wrote into the same file */
    free(s);
    return fd;
}

static const json_t *final_of(const json_t *lines)
{
    return json_object_get(json_array_get(lines, json_array_size(lines) - 1), "final");
}

static int64_t differing(const json_t *final, int64_t *ret_ticks)
{
    const json_t *o = json_object_get(final, "recorded");

    *ret_ticks = json_integer_value(json_object_get(o, "ticks"));
    return json_integer_value(json_object_get(o, "differ"));
}

static void whole_rollouts_come_out_as_they_were(void **state)
{
    static const struct {
        const char *scenario;
        int64_t fleet;
        bool halts;
    } rows[] = {{"S2", 8500000, true}, {"S2", 2000, true},   {"S6", 300, false},
                {"S6", 60000, false},  {"S8", 500000, true}, {"S7b", 100000, false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct policy p, urgent;
        json_t *lines, *again;
        int64_t ticks;
        bool halted;
        struct err err = {0};
        int fd;

        policy_of("standard", &p);
        policy_of("urgent", &urgent);
        fd = record_of(rows[i].scenario, rows[i].fleet, &p, i);
        if (replay(dup(fd), NULL, &lines, &halted, &err) < 0)
            fail_msg("%s: %s", rows[i].scenario, err.msg);
        assert_int_equal(differing(final_of(lines), &ticks), 0);
        assert_true(ticks > 10);
        if (!rows[i].halts)
            assert_true(json_is_true(json_object_get(final_of(lines), "complete")));
        /* A small fleet may stop and ask before its few devices are evidence enough. */
        assert_true(!halted || rows[i].halts);
        assert_true(halted || !rows[i].halts || rows[i].fleet <= 2000);

        /* Another policy sees the same evidence, and decides otherwise. */
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_int_equal(replay(fd, &urgent, &again, &halted, &err), 0);
        if (!rows[i].halts)
            assert_true(differing(final_of(again), &ticks) > 0);
        assert_string_equal(word(json_object_get(final_of(again), "policy"), "name"), "urgent");
        assert_non_null(strstr(word(final_of(again), "note"), "not known"));
        json_decref(lines);
        json_decref(again);
    }
}

/* Each cut of a whole record is found. */
static void a_record_that_was_cut_off_is_refused(void **state)
{
    struct policy p;
    int fd;
    off_t size;

    (void)state;
    policy_of("standard", &p);
    fd = record_of("S1", 5000, &p, 1);
    size = lseek(fd, 0, SEEK_END);
    assert_true(size > 1000);
    for (off_t cut = 2; cut < size; cut += 1 + size / 61) {
        char *text = calloc(1, (size_t)(size - cut) + 1);
        struct err err = {0};
        json_t *lines;
        bool halted;

        assert_int_equal(pread(fd, text, (size_t)(size - cut), 0), size - cut);
        assert_int_equal(replay(file_of(text), NULL, &lines, &halted, &err), -ERR_INVALID);
        assert_non_null(strstr(err.msg, "x.jsonl: line "));
        json_decref(lines);
        free(text);
    }
    close(fd);
}

/* Whoever writes a record by hand finds each member in FORMATS.md. */
static void all_members_of_facts_are_written_down(void **state)
{
    struct rollout_facts f = {.n_batches = 0};
    struct topology t = {.n_os = 1, .os = {"w"}, .n_cohorts = 1};
    struct buf text;
    struct policy p;
    struct err err = {0};
    const char *key;
    json_t *facts, *v;
    char code[64];

    (void)state;
    policy_standard(&p);
    strcpy(t.cohorts[0].name, "w-1");
    for (size_t i = 0; i < sizeof f.cohorts[0] / sizeof(int64_t); i++)
        ((int64_t *)&f.cohorts[0])[i] = 1; /* what is 0 is left out */
    facts = facts_to_json(&f, &p, &t, 1);
    buf_init(&text, 1000000);
    assert_int_equal(file_read(SOURCE_DIR "/schema/FORMATS.md", &text, &err), 0);
    json_object_update_missing(facts, json_object_get(json_object_get(facts, "cohorts"), "w-1"));
    assert_true(json_object_size(facts) > 20);
    json_object_foreach (facts, key, v) {
        snprintf(code, sizeof code, "`%s`", key);
        if (strcmp(key, "batches") != 0 && strcmp(key, "cohorts") != 0 && !strstr(text.data, code))
            fail_msg("%s of a tick's facts is not in FORMATS.md", code);
    }
    json_decref(facts);
    buf_release(&text);
}

/* --- refusals --------------------------------------------------------------------------------- */

#define WHOLE                                                                                      \
    "{\"record\": 1, \"policy\": \"standard\", \"cohorts\": [{\"name\": \"w-1\", \"os\": \"w\", "  \
    "\"size\": 6000}]}\n"
#define GOOD LINE("5", "SF", "4", "0", "300", "0", "4")

/* Whatever the gate refuses of a cohort has words. */
static void faults_of_a_cohort_are_named(void **state)
{
    static const struct cohort_facts faults[] = {{.admitted = 1, .healthy = 1, .overdue = 1},
                                                 {.canary_admitted = 1},
                                                 {.heard = 1},
                                                 {.healthy_slow = 1},
                                                 {.soaking = 1},
                                                 {.booted = 1},
                                                 {.canary_away = 1},
                                                 {.control_crashes = 1},
                                                 {.ready = -1},
                                                 {.late = (int64_t)GATE_MAX_DEVICES + 1}};
    struct topology t = {
        .n_os = 1, .os = {"linux"}, .n_cohorts = 1, .cohorts = {{.name = "a", .size = 100}}};
    struct rollout *r = calloc(1, sizeof *r);
    struct rollout_decision d;
    struct policy p;
    char why[200];

    (void)state;
    policy_of("standard", &p);
    assert_int_equal(rollout_init(r, &p, &t, 0, why, sizeof why), 0);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct rollout_facts f = {.cohorts = {faults[i]}};

        assert_int_equal(rollout_tick(r, &f, &d), -1);
        if (!facts_find_fault(&f, &t, why, sizeof why))
            fail_msg("fault %zu has no words", i);
    }
    free(r);
}

static const struct {
    const char *text, *says;
} bad[] = {
    {"", "line 1: empty"},
    {"\n\n", "line 1: empty"},
    {"[]\n", "line 1: not an object"},
    {"{}\n", "line 1: head: 'policy' is missing"},
    {"{\"policy\": 7, \"cohorts\": []}\n", "line 1: 'policy' is neither a name nor a policy"},
    {"{\"policy\": {\"name\": \"p\"}, \"cohorts\": []}\n", "'version' is missing"},
    {"{\"policy\": {\"name\": \"p\", \"version\": 1, \"rings\": [{\"share_ppm\": 2000000}]}, "
     "\"cohorts\": []}\n",
     "line 1: policy: line 1: 'rings[0].share_ppm' is outside"},
    {"{\"policy\": \"standard\"}\n", "line 1: head: 'cohorts' is missing"},
    {"{\"policy\": \"standard\", \"cohorts\": []}\n", "line 1: head: no OS family"},
    {"{\"policy\": \"standard\", \"cohorts\": [{\"name\": \"a\", \"os\": \"w\"}]}\n",
     "line 1: head: 'cohorts[0].size' is missing"},
    {"{\"policy\": \"standard\", \"cohorts\": [{\"name\": \"a\", \"os\": \"w\", \"size\": -1}]}\n",
     "'cohorts[0].size' is -1"},
    {"{\"policy\": \"standard\", \"cohorts\": [{\"name\": \"a\", \"os\": \"w\", \"size\": 1}, "
     "{\"name\": \"a\", \"os\": \"w\", \"size\": 1}]}\n",
     "cohorts[1] has the name of cohorts[0]"},
    {"{\"policy\": \"standard\", \"record\": 2, \"cohorts\": [{\"name\": \"a\", \"os\": \"w\", "
     "\"size\": 1}]}\n",
     "'record' is 2"},
    {HEAD "\n" LINE("5", "SF", "NaN", "0", "300", "0", "4"), "x.jsonl: line 3: malformed json"},
    {HEAD LINE("5", "SF", "4.5", "0", "300", "0", "4"), "line 2: batch: 'nT' is not an integer"},
    {HEAD LINE("5", "SF", "1e999", "0", "300", "0", "4"), "line 2: malformed json at column"},
    {HEAD LINE("5", "SF", "99999999999999999999", "0", "3", "0", "4"), "line 2: malformed json"},
    {HEAD LINE("5", "SF", "-4", "0", "300", "0", "4"), "line 2: batch: 'nT' is -4"},
    {HEAD LINE("5", "SF", "4", "5", "300", "0", "4"), "line 2: 5 of 4 treated failed"},
    {HEAD LINE("5", "SF", "4", "0", "300", "301", "4"), "line 2: 301 of 300 controls failed"},
    {HEAD LINE("5", "SF", "4", "0", "2000000000", "0", "4"), "line 2: batch: 'nC' is 2000000000"},
    {HEAD LINE("5", "SF", "4", "0", "300", "0", "-1"), "line 2: batch: 'admitted' is -1"},
    {HEAD LINE("5", "XX", "4", "0", "300", "0", "4"), "line 2: 'XX' is no known metric"},
    {HEAD "{\"tick\": 5, \"stratum\": \"top\", \"cohort\": \"w-1\", \"metric\": \"SF\"}",
     "line 2: 'top' is no known stratum"},
    {HEAD "{\"tick\": 5, \"stratum\": \"main\", \"cohort\": \"m-1\", \"metric\": \"SF\"}",
     "line 2: cohort 'm-1' is not one of the head's"},
    {HEAD "{\"tick\": 5, \"stratum\": \"main\", \"cohort\": \"w-1\", \"metric\": \"SF\", "
          "\"nT\": 1, \"fT\": 0, \"nC\": 1, \"fC\": 0}\n",
     "line 2: batch: 'admitted' is missing"},
    {HEAD GOOD LINE("5", "SA", "4", "0", "300", "0", "5"), "line 3: 'admitted' is 5, but another"},
    {HEAD GOOD LINE("4", "SF", "4", "0", "300", "0", "4"), "line 3: tick 4 comes after tick 5"},
    {HEAD GOOD "{\"tick\": -1, \"metric\": \"SF\"}\n", "line 3: line: 'tick' is -1"},
    {HEAD GOOD "{\"tick\": \"6\"}\n", "line 3: line: 'tick' is not an integer"},
    {HEAD GOOD "{\"tick\": 1000000005, \"metric\": \"SF\"}\n",
     "line 3: line: 'tick' is 1000000005"},
    {HEAD GOOD "{\"tick\": 90000005, \"metric\": \"SF\"}\n",
     "line 3: tick 90000005 is 90000000 ticks after the one before; at most 1000000"},
    {HEAD GOOD "{\"tick\": 6}\n", "line 3: neither a batch"},
    {HEAD GOOD "{\"tick\": 6, \"metric\": \"SF\", \"nT\"", "the file ends there: cut off?"},
    {HEAD GOOD "{\"tick\": 6, \"tick\": 7}\n", "line 3: malformed json at column"},
    {HEAD GOOD "{\"tick\": 5, \"facts\": {}}\n", "line 3: facts stand once, before all else"},
    {HEAD "{\"tick\": 5, \"facts\": {\"cohorts\": {\"x\": {}}}}\n",
     "line 2: facts: unknown cohort"},
    {HEAD "{\"tick\": 5, \"facts\": {\"cohorts\": {\"w-1\": {\"direct\": -1}}}}\n",
     "line 2: facts: cohort 'w-1': 'direct' is -1"},
    {HEAD "{\"tick\": 5, \"facts\": {\"cohorts\": {\"w-1\": {\"admitted\": 3, \"healthy\": 4}}}}\n",
     "line 2: facts: cohort 'w-1': more are healthy"},
    {HEAD "{\"tick\": 5, \"facts\": {\"cohorts\": {\"w-1\": {\"control_crashes\": 3}}}}\n",
     "line 2: facts: cohort 'w-1': more controls crashed"},
    {HEAD "{\"tick\": 5, \"facts\": {\"silent_controls\": 3}}\n",
     "line 2: facts: more controls were silent than there were"},
    {HEAD "{\"tick\": 5, \"facts\": {\"pace_ppm\": 1000001}}\n", "line 2: facts: 'pace_ppm' is"},
    {HEAD "{\"tick\": 5, \"facts\": 5}\n", "line 2: 'facts' is not an object"},
    {HEAD "{\"tick\": 5, \"facts\": {\"batches\": []}}\n", "batches are lines of their own"},
    {HEAD "{\"tick\": 5, \"decided\": {\"verdict\": \"maybe\"}}\n", "'maybe' is no known verdict"},
    {HEAD GOOD "{\"end\": {\"state\": \"halted\", \"ticks\": 6}}\n" GOOD, "line 4: a line behind"},
    {WHOLE "{\"tick\": 1, \"facts\": {}}\n", "line 2: tick 0 is missing"},
    {WHOLE LINE("0", "SF", "4", "0", "300", "0", "4") "{\"end\": {\"ticks\": 1}}\n",
     "line 2: tick 0 has no facts"},
    {WHOLE "{\"tick\": 0, \"facts\": {}}\n", "ends after tick 0 without its end: cut off"},
    {WHOLE "{\"tick\": 0, \"facts\": {}}\n{\"end\": {\"ticks\": 2}}\n",
     "line 3: it had 2 ticks, but 1 are here"},
};

static void bad_lines_are_refused_with_line_and_reason(void **state)
{
    struct policy p;

    (void)state;
    policy_of("standard", &p);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *lines;
        bool halted;
        struct err err = {0};
        int r = replay(file_of(bad[i].text), &p, &lines, &halted, &err);

        if (r >= 0 || !strstr(err.msg, bad[i].says))
            fail_msg("row %zu says '%s', want '%s'", i, err.msg, bad[i].says);
        if (strncmp(err.msg, "x.jsonl: line ", 14) != 0)
            fail_msg("row %zu names no line: '%s'", i, err.msg);
        json_decref(lines);
    }
}

static void caps_hold(void **state)
{
    char *text = malloc(RECORD_LINE_MAX + 1000);
    struct policy p;
    json_t *lines;
    bool halted;
    struct err err = {0};
    int fd;

    (void)state;
    policy_of("standard", &p);
    memcpy(text, HEAD, sizeof HEAD);
    memset(text + sizeof HEAD - 1, ' ', RECORD_LINE_MAX + 1);
    strcpy(text + sizeof HEAD + RECORD_LINE_MAX, "{}\n");
    assert_int_equal(replay(file_of(text), &p, &lines, &halted, &err), -ERR_TOO_LARGE);
    assert_string_equal(err.msg, "x.jsonl: line 2: is longer than 1048576 bytes");
    json_decref(lines);
    free(text);

    fd = file_of(HEAD);
    assert_true(lseek(fd, 0, SEEK_END) > 0);
    for (int i = 0; i <= FACTS_MAX_BATCHES; i++)
        assert_true(write(fd, GOOD, sizeof GOOD - 1) > 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(replay(fd, &p, &lines, &halted, &err), -ERR_INVALID);
    assert_non_null(strstr(err.msg, "batches in one tick"));
    json_decref(lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evidence_by_hand_is_judged_by_the_gate),
        cmocka_unit_test(metrics_of_the_policys_own_are_judged_where_it_asks),
        cmocka_unit_test(a_pause_ends_between_lines),
        cmocka_unit_test(facts_by_hand_say_what_they_know),
        cmocka_unit_test(a_batch_may_say_what_its_facts_leave_out),
        cmocka_unit_test(whole_rollouts_come_out_as_they_were),
        cmocka_unit_test(a_record_that_was_cut_off_is_refused),
        cmocka_unit_test(all_members_of_facts_are_written_down),
        cmocka_unit_test(faults_of_a_cohort_are_named),
        cmocka_unit_test(bad_lines_are_refused_with_line_and_reason),
        cmocka_unit_test(caps_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

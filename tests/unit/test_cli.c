/* cli: each case is a whole call of cli_main with what it wrote to both streams. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cli.h"

#define X16 "x x x x x x x x x x x x x x x x " /* arguments */

/* What the handlers saw, as text on standard output. */
static int show(struct cli *cli, struct err *err)
{
    (void)err;
    printf("verb=%s", cli->verb->words);
    for (int i = 0; i < cli->n_args; i++)
        printf(" arg=%s", cli->args[i]);
    for (int i = 0; i < cli->n_opts; i++)
        printf(" %s=%s", cli->opts[i].opt->name, cli->opts[i].value);
    putchar('\n');
    return 0;
}

static int number(struct cli *cli, struct err *err)
{
    int64_t n;
    int r = cli_get_int(cli, "n", 1, 9, 5, &n, err);

    if (r < 0)
        return r;
    printf("n=%lld\n", (long long)n);
    return 0;
}

static int halted(struct cli *cli, struct err *err)
{
    json_auto_t *o = json_pack("{s:s}", "state", "halted");

    (void)err;
    cli->exit_status = 6;
    if (!cli_result(cli, o))
        puts("state: halted");
    return 0;
}

/* Row by row, for those who watch. */
static int flushed(struct cli *cli, struct err *err)
{
    (void)cli;
    (void)err;
    puts("a row");
    fflush(stdout);
    return 0;
}

static int refused(struct cli *cli, struct err *err)
{
    (void)cli;
    return err_set(err, ERR_UNDERSIGNED, "'m' has 1 of 2 \"signatures\"");
}

static const struct cli_opt global[] = {{"config", "F", "the configuration", false, false}, {0}};
static const struct cli_opt build_opts[] = {
    {"channel", "C", "the channel", true, false}, {"version", "V", "the version", false, false},
    {"o", "DIR", "where to write", false, false}, {"key", "FILE", "a key", false, true},
    {"force", NULL, "even so", false, false},     {0},
};
static const struct cli_opt number_opts[] = {{"n", "N", "a number", false, false}, {0}};
static const struct cli_verb verbs[] = {
    {"release build", "SRC [DST]", "makes a release", build_opts, show},
    {"release list", "", "lists releases", NULL, show},
    {"release", "FILE...", "shows releases", NULL, show},
    {"number", "", "reads a number", number_opts, number},
    {"halted", "", "is halted", NULL, halted},
    {"flushed", "", "flushes", NULL, flushed},
    {"refused", "", "is refused", NULL, refused},
    {"rollout status", "C", "shows a rollout", NULL, show},
    {0},
};
static const struct cli_program program = {"demo", "shows how", global, verbs};
static const struct cli_verb lone_verb[] = {{"", "[FILE]", "does it", number_opts, show}, {0}};
static const struct cli_program lone = {"lone", "has no verbs", NULL, lone_verb};

/* What a stream got while it was turned into a file. */
struct capture {
    FILE *stream;
    int saved;
    FILE *file;
};

static void capture_begin(struct capture *c, FILE *stream)
{
    fflush(stream);
    c->stream = stream;
    c->file = tmpfile();
    assert_non_null(c->file);
    c->saved = dup(fileno(stream));
    assert_true(dup2(fileno(c->file), fileno(stream)) >= 0);
}

static void capture_end(struct capture *c, char *ret, size_t size)
{
    fflush(c->stream);
    dup2(c->saved, fileno(c->stream));
    close(c->saved);
    rewind(c->file);
    ret[fread(ret, 1, size - 1, c->file)] = '\0';
    fclose(c->file);
}

static int call(const struct cli_program *prog, const char *line, char out[4096], char errors[4096])
{
    struct capture o, e;
    char copy[256];
    char *argv[CLI_MAX_ARGS + 16] = {copy, NULL};
    int argc = 0, status;

    snprintf(copy, sizeof copy, "%s", line);
    for (char *save = NULL, *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    capture_begin(&o, stdout);
    capture_begin(&e, stderr);
    status = cli_main(prog, argc, argv);
    capture_end(&e, errors, 4096);
    capture_end(&o, out, 4096);
    return status;
}

static void test_calls(void **state)
{
    static const struct {
        const struct cli_program *program;
        const char *line;
        int status;
        const char *out;    /* part of standard output, NULL: must be empty */
        const char *errors; /* the same of standard error */
    } table[] = {
        {&program, "demo release build src --channel crs", 0,
         "verb=release build arg=src channel=crs\n", NULL},
        {&program, "demo --config f release build --channel=crs -o d src --version 3 dst", 0,
         "verb=release build arg=src arg=dst config=f channel=crs o=d version=3\n", NULL},
        {&program, "demo release build --channel= --key a --key=b --force src", 0,
         "arg=src channel= key=a key=b force=\n", NULL},
        {&program, "demo release build --channel c -- --src", 0, "arg=--src channel=c\n", NULL},
        {&program, "demo release list", 0, "verb=release list\n", NULL},
        {&program, "demo release a b - d", 0, "verb=release arg=a arg=b arg=- arg=d\n", NULL},
        {&program, "demo number -n 9", 0, "n=9\n", NULL},
        {&program, "demo number", 0, "n=5\n", NULL},
        {&program, "demo number -n 10", 2, NULL, "option 'n' is 10, not in 1 to 9"},
        {&program, "demo number -n 1x", 2, NULL, "not a whole number: '1x'"},
        {&program, "demo halted", 6, "state: halted\n", NULL},
        {&program, "demo halted --json", 6, "\"state\": \"halted\"", NULL},
        {&program, "demo release a\xff", 0, "verb=release arg=a\xff\n", NULL},
        {&program, "demo --json release a\xff", 2, NULL, "argument 3 is not UTF-8"},
        {&program, "demo refused", 3, NULL,
         "error: 'm' has 1 of 2 \"signatures\"\n  remedy: add signatures"},
        {&lone, "lone -n 3 file", 0, "verb= arg=file n=3\n", NULL},
        {&lone, "lone", 0, "verb=\n", NULL},
        {&lone, "lone a b", 2, NULL, "argument 'b' is not expected"},
        /* usage errors name the --help to read */
        {&program, "demo", 2, NULL, "no command given\n  remedy: see 'demo --help'"},
        {&program, "demo relase", 2, NULL, "unknown command 'relase'"},
        {&program, "demo rollout", 2, NULL,
         "command 'rollout' is not complete\n  remedy: see 'demo rollout --help'"},
        {&program, "demo rollout stop", 2, NULL, "unknown command 'rollout stop'"},
        {&program, "demo --nope", 2, NULL, "unknown option '--nope'\n  remedy: see 'demo --help'"},
        {&program, "demo release build s --chanel=x", 2, NULL,
         "unknown option '--chanel'\n  remedy: see 'demo release build --help'"},
        {&program, "demo release build s --o x", 2, NULL, "unknown option '--o'"},
        {&program, "demo release build s -channel x", 2, NULL, "unknown option '-channel'"},
        {&program, "demo release build s --channel", 2, NULL, "'--channel' wants a value (C)"},
        {&program, "demo release build s --channel a --channel b", 2, NULL, "given twice"},
        {&program, "demo release build s --channel a --force=1", 2, NULL, "takes no value"},
        {&program, "demo release build s", 2, NULL, "option --channel C is missing"},
        {&program, "demo release build --channel c", 2, NULL, "argument missing: SRC [DST]"},
        {&program, "demo release build --channel c 1 2 3", 2, NULL, "argument '3' is not expected"},
        {&program, "demo release " X16 X16 X16 X16 "x", 2, NULL, "more than 64 arguments"},
        /* help and version */
        {&program, "demo --version", 0, "demo " FIREBREAK_VERSION "\n", NULL},
        {&lone, "lone --version", 0, "lone " FIREBREAK_VERSION "\n", NULL},
        {&program, "demo --help", 0, "release build SRC [DST]         makes a release\n", NULL},
        {&program, "demo -h", 0, "--config F                      the configuration\n", NULL},
        {&program, "demo release build --help", 0,
         "usage: demo release build SRC [DST] --channel C [--version V] [-o DIR] [--key FILE]... "
         "[--force]\n",
         NULL},
        {&program, "demo release build --help", 0, "\nwith every command:\n  --config F", NULL},
        {&program, "demo --version --json", 0, "\"version\": \"" FIREBREAK_VERSION "\"", NULL},
        {&program, "demo rollout --help", 0, "rollout status C", NULL},
        {&lone, "lone --help", 0, "usage: lone [FILE] [-n N]\n", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char out[4096], errors[4096];
        int status = call(table[i].program, table[i].line, out, errors);

        if (status != table[i].status || (table[i].out ? !strstr(out, table[i].out) : out[0]) ||
            (table[i].errors ? !strstr(errors, table[i].errors) : errors[0]))
            fail_msg("'%s': status %d, out '%s', errors '%s'", table[i].line, status, out, errors);
    }
}

static void test_errors_as_json(void **state)
{
    static const struct {
        const char *line, *code;
        int status;
    } table[] = {
        {"demo refused --json", "under-signed", 3},
        {"demo relase --json", "usage", 2},
        {"demo --nope --json", "usage", 2},
        {"demo --json", "usage", 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char out[4096], errors[4096];
        const char *code, *message, *remedy;

        assert_int_equal(call(&program, table[i].line, out, errors), table[i].status);
        json_auto_t *o = json_loads(errors, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(o);
        assert_int_equal(json_unpack(o, "{s:{s:s,s:s,s:s}}", "error", "code", &code, "message",
                                     &message, "remedy", &remedy),
                         0);
        assert_string_equal(code, table[i].code);
        assert_true(message[0] && remedy[0]);
        assert_string_equal(out, "");
    }
}

static void test_help_of_a_verb_that_hides_version(void **state)
{
    char out[4096], errors[4096];

    (void)state;
    assert_int_equal(call(&program, "demo release build --help", out, errors), 0);
    assert_non_null(strstr(out, "--version V"));
    assert_null(strstr(out, "show the version"));
    assert_int_equal(call(&program, "demo rollout --help", out, errors), 0);
    assert_null(strstr(out, "release"));
}

static void test_full_output_is_an_error(void **state)
{
    static const char *const verb[] = {"halted", "flushed"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char errors[4096];
        char *argv[] = {"demo", (char *)verb[i], NULL};
        struct capture e;
        int saved, status;

        fflush(stdout);
        saved = dup(STDOUT_FILENO);
        assert_non_null(freopen("/dev/full", "w", stdout));
        capture_begin(&e, stderr);
        status = cli_main(&program, 2, argv);
        capture_end(&e, errors, sizeof errors);
        dup2(saved, STDOUT_FILENO);
        close(saved);
        clearerr(stdout);
        assert_int_equal(status, 1);
        assert_non_null(strstr(errors, "write standard output"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_errors_as_json),
        cmocka_unit_test(test_help_of_a_verb_that_hides_version),
        cmocka_unit_test(test_full_output_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* cli: see cli.h. Parsing here; what is shown to people is in cli_help.c. */
#include "base/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cli_help.h"
#include "base/utf8.h"

/* What every verb takes. */
static const struct cli_opt builtin[] = {
    {"json", NULL, "print one JSON object, errors too", false, false},
    {"help", NULL, "show this help", false, false},
    {"version", NULL, "show the version", false, false},
    {0},
};

/* Where the parser stands in argv. */
struct cli_parse {
    struct cli *cli;
    int argc;
    char **argv;
    int at;
    bool help, version; /* asked for */
    const char *group;  /* help was asked for this first word of several verbs */
    struct err *err;
};

static int usage(struct cli_parse *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A usage error that says which --help to read. */
static int usage(struct cli_parse *p, const char *fmt, ...)
{
    const struct cli *cli = p->cli;
    const char *words = cli->verb ? cli->verb->words : "";
    char msg[ERR_MSG_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    err_set(p->err, ERR_USAGE, "%s", msg);
    return err_remedy(p->err, "see '%s%s%s --help'", cli->program->name, words[0] ? " " : "",
                      words);
}

static const struct cli_opt *find_in(const struct cli_opt *rows, const char *name, size_t len)
{
    for (; rows && rows->name; rows++)
        if (strlen(rows->name) == len && memcmp(rows->name, name, len) == 0)
            return rows;
    return NULL;
}

/* A verb's own option hides a builtin one ('release build --version V'). */
static const struct cli_opt *find_opt(const struct cli *cli, const char *name, size_t len)
{
    const struct cli_opt *o = NULL;

    if (cli->verb)
        o = find_in(cli->verb->opts, name, len);
    if (!o)
        o = find_in(cli->program->global, name, len);
    return o ? o : find_in(builtin, name, len);
}

static int keep_opt(struct cli_parse *p, const struct cli_opt *o, const char *value)
{
    struct cli *cli = p->cli;

    if (o == &builtin[0])
        cli->json = true;
    else if (o == &builtin[1])
        p->help = true;
    else if (o == &builtin[2])
        p->version = true;
    if (o >= builtin && o < builtin + sizeof builtin / sizeof builtin[0])
        return 0;
    for (int i = 0; i < cli->n_opts; i++)
        if (cli->opts[i].opt == o && !o->repeated)
            return usage(p, "option '%s' was given twice", o->name);
    if (cli->n_opts == CLI_MAX_OPTS)
        return usage(p, "more than %d options", CLI_MAX_OPTS);
    cli->opts[cli->n_opts].opt = o;
    cli->opts[cli->n_opts++].value = value;
    return 0;
}

/* argv[at] begins with '-': --name, --name=value, --name value, -o value. */
static int parse_opt(struct cli_parse *p)
{
    const char *given = p->argv[p->at++];
    const char *name = given + (given[1] == '-' ? 2 : 1);
    size_t len = strcspn(name, "=");
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    const struct cli_opt *o = NULL;

    if ((given[1] == '-') == (len > 1)) /* one letter with one dash, longer with two */
        o = find_opt(p->cli, name, len);
    if (!o && strcmp(given, "-h") == 0)
        o = &builtin[1];
    if (!o)
        return usage(p, "unknown option '%.*s'", (int)(len + (size_t)(name - given)), given);
    if (!o->arg && value)
        return usage(p, "option '%.*s' takes no value", (int)(len + (size_t)(name - given)), given);
    if (o->arg && !value) {
        if (p->at == p->argc)
            return usage(p, "option '%s' wants a value (%s)", given, o->arg);
        value = p->argv[p->at++];
    }
    return keep_opt(p, o, value ? value : "");
}

static bool is_opt(const char *arg)
{
    return arg[0] == '-' && arg[1] != '\0';
}

/* How many words of argv[at...] the verb's words match in full; 0: not this verb. */
static int words_match(const char *words, int n, char **argv)
{
    int matched = 0;

    while (*words) {
        size_t len = strcspn(words, " ");

        if (matched == n || strlen(argv[matched]) != len || memcmp(argv[matched], words, len) != 0)
            return 0;
        matched++;
        words += len;
        words += *words == ' ';
    }
    return matched;
}

/* The verb with the most words in common with argv[at...]; at moves past them. */
static int find_verb(struct cli_parse *p)
{
    const struct cli_program *program = p->cli->program;
    int best = 0;

    if (program->verbs[0].words[0] == '\0') {
        p->cli->verb = &program->verbs[0];
        return 0;
    }
    if (p->at == p->argc)
        return usage(p, "no command given");
    for (const struct cli_verb *v = program->verbs; v->words; v++) {
        int n = words_match(v->words, p->argc - p->at, p->argv + p->at);

        if (n > best) {
            best = n;
            p->cli->verb = v;
        }
    }
    if (best == 0 && cli_is_group(program, p->argv[p->at])) {
        if (p->at + 1 < p->argc && !is_opt(p->argv[p->at + 1]))
            return usage(p, "unknown command '%s %s'", p->argv[p->at], p->argv[p->at + 1]);
        usage(p, "command '%s' is not complete", p->argv[p->at]);
        return err_remedy(p->err, "see '%s %s --help'", program->name, p->argv[p->at]);
    }
    if (best == 0)
        return usage(p, "unknown command '%s'", p->argv[p->at]);
    p->at += best;
    return 0;
}

/* "SRC [DST]" and "FILE...": how few and how many arguments. */
static void count_args(const char *pattern, int *ret_min, int *ret_max)
{
    *ret_min = *ret_max = 0;
    while (pattern && *pattern) {
        size_t len = strcspn(pattern, " ");

        if (len >= 3 && memcmp(pattern + len - 3, "...", 3) == 0)
            *ret_max = CLI_MAX_ARGS;
        else if (*ret_max < CLI_MAX_ARGS)
            ++*ret_max;
        if (pattern[0] != '[')
            ++*ret_min;
        pattern += len;
        pattern += *pattern == ' ';
    }
}

static int check_complete(struct cli_parse *p)
{
    const struct cli *cli = p->cli;
    const struct cli_opt *tables[] = {cli->verb->opts, cli->program->global};
    int min, max;

    count_args(cli->verb->args, &min, &max);
    if (cli->n_args < min)
        return usage(p, "argument missing: %s", cli->verb->args);
    if (cli->n_args > max)
        return usage(p, "argument '%s' is not expected", cli->args[max]);
    for (int t = 0; t < 2; t++)
        for (const struct cli_opt *o = tables[t]; o && o->name; o++)
            if (o->required && !cli_has(cli, o->name))
                return usage(p, "option %s%s %s is missing", strlen(o->name) > 1 ? "--" : "-",
                             o->name, o->arg ? o->arg : "");
    return 0;
}

static int parse_rest(struct cli_parse *p)
{
    struct cli *cli = p->cli;
    bool only_args = false;

    while (p->at < p->argc) {
        char *arg = p->argv[p->at];

        if (!only_args && strcmp(arg, "--") == 0) {
            only_args = true;
            p->at++;
        } else if (!only_args && is_opt(arg)) {
            int r = parse_opt(p);

            if (r < 0)
                return r;
        } else if (cli->n_args == CLI_MAX_ARGS) {
            return usage(p, "more than %d arguments", CLI_MAX_ARGS);
        } else {
            cli->args[cli->n_args++] = arg;
            p->at++;
        }
    }
    return p->help || p->version ? 0 : check_complete(p);
}

/* "release --help", where that word alone is no verb or begins several. */
static bool parse_group_help(struct cli_parse *p)
{
    char **rest = p->argv + p->at;

    if (p->at + 2 != p->argc || !cli_is_group(p->cli->program, rest[0]) ||
        (strcmp(rest[1], "--help") != 0 && strcmp(rest[1], "-h") != 0))
        return false;
    p->group = rest[0];
    p->help = true;
    return true;
}

/* Options of the program, the verb's words, then options and arguments in any order. */
static int parse(struct cli_parse *p)
{
    bool has_verbs = p->cli->program->verbs[0].words[0] != '\0';
    int r = 0;

    while (has_verbs && r == 0 && p->at < p->argc && is_opt(p->argv[p->at]) &&
           strcmp(p->argv[p->at], "--") != 0)
        r = parse_opt(p);
    if (r < 0 || (p->at == p->argc && (p->help || p->version)) || parse_group_help(p))
        return r;
    r = find_verb(p);
    return r < 0 ? r : parse_rest(p);
}

/* Also where parsing fails before it gets there. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

static bool is_utf8(const char *s)
{
    uint32_t cp;
    size_t n;

    while ((n = utf8_next(s, &cp)) > 0)
        s += n;
    return !*s;
}

/* A result that names such a file could not be told, and by then the work would be done. */
static int check_tellable(struct cli_parse *p)
{
    for (int i = 1; p->cli->json && i < p->argc; i++)
        if (!is_utf8(p->argv[i])) {
            err_set(p->err, ERR_USAGE, "argument %d is not UTF-8, and no JSON can name it", i);
            return err_remedy(p->err, "leave --json out, or rename the file");
        }
    return 0;
}

static int answer(struct cli_parse *p)
{
    struct cli *cli = p->cli;

    if (p->version) {
        json_auto_t *o =
            json_pack("{s:s, s:s}", "program", cli->program->name, "version", FIREBREAK_VERSION);

        if (!cli_result(cli, o))
            printf("%s %s\n", cli->program->name, FIREBREAK_VERSION);
    } else if (p->help && cli->verb) {
        cli_help_verb(stdout, cli->program, cli->verb, builtin);
    } else if (p->help) {
        cli_help_program(stdout, cli->program, p->group);
    } else {
        return cli->verb->run(cli, p->err);
    }
    return 0;
}

/* Also of what a handler flushed itself, and nobody asked how that went. */
static int end_output(struct err *err)
{
    bool failed = ferror(stdout);

    errno = 0;
    if (fflush(stdout) != 0 || failed)
        return err_errno(err, errno ? errno : EIO, "write standard output");
    return 0;
}

int cli_main(const struct cli_program *program, int argc, char **argv)
{
    struct cli cli = {.program = program, .json = wants_json(argc, argv)};
    struct err err = {0};
    struct cli_parse p = {.cli = &cli, .argc = argc, .argv = argv, .at = 1, .err = &err};
    int written, r = parse(&p);

    if (r == 0)
        r = check_tellable(&p);
    if (r == 0)
        r = answer(&p);
    written = end_output(r == 0 ? &err : NULL);
    if (r == 0)
        r = written;
    if (r == 0)
        return cli.exit_status;
    if (err.code == ERR_OK)
        err_set(&err, (enum err_code)abs(r), "%s", err_slug(r));
    cli_tell_error(cli.json, &err);
    return err_exit_status(r);
}

const char *cli_get_nth(const struct cli *cli, const char *name, int n)
{
    for (int i = 0; i < cli->n_opts; i++)
        if (strcmp(cli->opts[i].opt->name, name) == 0 && n-- == 0)
            return cli->opts[i].value;
    return NULL;
}

const char *cli_get(const struct cli *cli, const char *name)
{
    return cli_get_nth(cli, name, 0);
}

bool cli_has(const struct cli *cli, const char *name)
{
    return cli_get(cli, name) != NULL;
}

int cli_get_int(const struct cli *cli, const char *name, int64_t min, int64_t max,
                int64_t otherwise, int64_t *ret, struct err *err)
{
    const char *text = cli_get(cli, name);
    char *end;
    int64_t v;

    if (!text) {
        *ret = otherwise;
        return 0;
    }
    errno = 0;
    v = strtoll(text, &end, 10);
    if (errno || *end || end == text || strchr(" \t\n+", text[0]))
        return err_set(err, ERR_USAGE, "option '%s' is not a whole number: '%.60s'", name, text);
    if (v < min || v > max)
        return err_set(err, ERR_USAGE, "option '%s' is %lld, not in %lld to %lld", name,
                       (long long)v, (long long)min, (long long)max);
    *ret = v;
    return 0;
}

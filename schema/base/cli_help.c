/* cli_help: see cli_help.h. */
#include "base/cli_help.h"

#include <string.h>

#include "base/cleanup.h"

#define HELP_LEFT_MAX 160
#define USAGE_WIDTH   100
#define USAGE_INDENT  7

bool cli_is_group(const struct cli_program *program, const char *word)
{
    size_t len = strlen(word);

    for (const struct cli_verb *v = program->verbs; v->words; v++)
        if (strncmp(v->words, word, len) == 0 && v->words[len] == ' ')
            return true;
    return false;
}

/* Two columns; a left one that is too wide gets a line of its own. */
static void print_row(FILE *out, const char *left, const char *right, const char *suffix)
{
    if (strlen(left) > 30)
        fprintf(out, "  %s\n  %-30s  %s%s\n", left, "", right, suffix);
    else
        fprintf(out, "  %-30s  %s%s\n", left, right, suffix);
}

static void opt_form(const struct cli_opt *o, char *ret, size_t size)
{
    snprintf(ret, size, "%s%s%s%s", strlen(o->name) > 1 ? "--" : "-", o->name, o->arg ? " " : "",
             o->arg ? o->arg : "");
}

static void print_opts(FILE *out, const struct cli_opt *rows, const struct cli_opt *hidden_by)
{
    char left[HELP_LEFT_MAX];

    for (const struct cli_opt *o = rows; o && o->name; o++) {
        bool hidden = false;

        for (const struct cli_opt *h = hidden_by; h && h->name; h++)
            hidden |= strcmp(h->name, o->name) == 0;
        if (hidden)
            continue;
        opt_form(o, left, sizeof left);
        print_row(out, left, o->sentence, o->repeated ? " (may be repeated)" : "");
    }
}

void cli_help_program(FILE *out, const struct cli_program *program, const char *group)
{
    char left[HELP_LEFT_MAX];

    fprintf(out, "%s: %s\n\nusage: %s [OPTIONS] COMMAND ...\n\ncommands:\n", program->name,
            program->sentence, program->name);
    for (const struct cli_verb *v = program->verbs; v->words; v++) {
        size_t len = group ? strlen(group) : 0;

        if (group && (strncmp(v->words, group, len) != 0 || v->words[len] != ' '))
            continue;
        snprintf(left, sizeof left, "%s%s%s", v->words, v->args ? " " : "", v->args ? v->args : "");
        print_row(out, left, v->sentence, "");
    }
    fputs("\noptions:\n", out);
    print_opts(out, program->global, NULL);
    print_row(out, "--json", "print one JSON object, errors too", "");
    print_row(out, "--help", "show this help; after a command, its own", "");
    print_row(out, "--version", "show the version", "");
}

/* "--channel C [--pace FILE]", broken at USAGE_WIDTH. *column is where the line stands. */
static void print_usage_opts(FILE *out, const struct cli_opt *rows, size_t *column)
{
    char form[HELP_LEFT_MAX], text[HELP_LEFT_MAX + 8];

    for (const struct cli_opt *o = rows; o && o->name; o++) {
        opt_form(o, form, sizeof form);
        snprintf(text, sizeof text, o->required ? "%s%s" : "[%s]%s", form,
                 o->repeated ? "..." : "");
        if (*column + 1 + strlen(text) > USAGE_WIDTH) {
            fprintf(out, "\n%*s", USAGE_INDENT, "");
            *column = USAGE_INDENT;
        }
        fprintf(out, " %s", text);
        *column += 1 + strlen(text);
    }
}

static bool has_rows(const struct cli_opt *rows)
{
    return rows && rows->name;
}

void cli_help_verb(FILE *out, const struct cli_program *program, const struct cli_verb *verb,
                   const struct cli_opt *builtin)
{
    const char *space = verb->words[0] ? " " : "";
    size_t column;

    fprintf(out, "%s%s%s: %s\n\n", program->name, space, verb->words, verb->sentence);
    column = (size_t)fprintf(out, "usage: %s%s%s", program->name, space, verb->words);
    if (verb->args && verb->args[0])
        column += (size_t)fprintf(out, " %s", verb->args);
    print_usage_opts(out, verb->opts, &column);
    for (const struct cli_opt *o = program->global; o && o->name; o++)
        if (o->required)
            print_usage_opts(out, (const struct cli_opt[]){*o, {0}}, &column);
    fputs("\n", out);
    if (has_rows(verb->opts)) {
        fputs("\noptions:\n", out);
        print_opts(out, verb->opts, NULL);
    }
    fputs(has_rows(verb->opts) ? "\nwith every command:\n" : "\noptions:\n", out);
    print_opts(out, program->global, verb->opts);
    print_opts(out, builtin, verb->opts);
}

bool cli_result(const struct cli *cli, const json_t *o)
{
    if (!cli->json)
        return false;
    if (!o || json_dumpf(o, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER) < 0)
        fputs("{}", stdout);
    fputc('\n', stdout);
    return true;
}

void cli_tell_error(bool as_json, const struct err *err)
{
    const char *remedy = err_show_remedy(err);

    if (as_json) {
        json_auto_t *o = json_pack("{s:{s:s,s:s,s:s}}", "error", "code", err_slug(err->code),
                                   "message", err->msg, "remedy", remedy);

        if (!o) /* out of memory, or a message that is not UTF-8 */
            o = json_pack("{s:{s:s,s:s,s:s}}", "error", "code", err_slug(err->code), "message",
                          err_slug(err->code), "remedy", err_usual_remedy(err->code));
        if (o)
            json_dumpf(o, stderr, JSON_COMPACT | JSON_PRESERVE_ORDER);
        fputc('\n', stderr);
        return;
    }
    fprintf(stderr, "error: %s\n", err->msg);
    if (remedy[0])
        fprintf(stderr, "  remedy: %s\n", remedy);
}

/* ceremony_print: what ceremony_show found, as text. Names come from a file that may be hostile, so
 * nothing is printed as it stands. */
#include <string.h>

#include "ceremony/ceremony_show.h"
#include "table.h"

#define SAFE_SIZE 600 /* the longest text that is shown whole */
#define DAY_S     86400

static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "";
}

static long long number(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

/* Text from the file, made safe; where it had to be cut, that is told. */
static void put(FILE *out, const char *s)
{
    char safe[SAFE_SIZE];

    fputs(table_safe(s, safe, sizeof safe), out);
    if (strlen(s) >= sizeof safe)
        fprintf(out, "... (%zu bytes in all: read the file)", strlen(s));
}

/* Format: a word in braces is the member of that name, whatever its type. */
static void put_members(FILE *out, const char *format, const json_t *o)
{
    while (*format) {
        size_t len = strcspn(format, "{");
        char key[32];
        const json_t *v;

        fprintf(out, "%.*s", (int)len, format);
        format += len;
        if (!*format)
            break;
        len = strcspn(format, "}");
        snprintf(key, sizeof key, "%.*s", (int)len - 1, format + 1);
        format += len + 1;
        v = json_object_get(o, key);
        if (json_is_integer(v))
            fprintf(out, "%lld", (long long)json_integer_value(v));
        else
            put(out, text(o, key));
    }
}

/* How each change of ceremony_diff.h is said. */
static const struct change_row {
    const char *change, *format;
} change_rows[] = {
    {"version", "version {from} -> {to}"},
    {"expires", "expires {from} -> {to}"},
    {"role-added", "+ role {role}"},
    {"role-removed", "- role {role}"},
    {"threshold", "  role {role}: {from} -> {to} signatures needed"},
    {"key-added", "+ role {role}: key {keyid} ({type})"},
    {"key-removed", "- role {role}: key {keyid} ({type})"},
    {"key-changed", "! role {role}: key {keyid} ({type}) is another one under the same id"},
    {"role-field", "  role {role}: {field} {from} -> {to}"},
    {"target-added", "+ {path}, sha256 {to}"},
    {"target-removed", "- {path}, sha256 {from}"},
    {"target-changed", "! {path}, sha256 {from} -> {to}"},
    {"target-custom", "  {path}: {from} -> {to}"},
    {"revoked", "REVOKED {digest}: {reason}"},
    {"revocation-dropped", "no longer revoked {digest}: {reason}"},
    {"field", "  {field}: {from} -> {to}"},
};

static void print_changes(const json_t *show, FILE *out)
{
    const json_t *changes = json_object_get(show, "changes");
    size_t i;
    json_t *o;

    if (!changes)
        return;
    fprintf(out, "\nchanges since version %lld:\n", number(show, "previous_version"));
    if (json_array_size(changes) == 0)
        fprintf(out, "  none\n");
    json_array_foreach (changes, i, o)
        for (size_t n = 0; n < sizeof change_rows / sizeof change_rows[0]; n++)
            if (strcmp(text(o, "change"), change_rows[n].change) == 0) {
                fprintf(out, "  ");
                put_members(out, change_rows[n].format, o);
                fputc('\n', out);
            }
}

static void print_roles(const json_t *show, FILE *out)
{
    const json_t *roles = json_object_get(show, "roles");
    size_t i, j;
    json_t *role, *o;

    json_array_foreach (roles, i, role) {
        const json_t *keys = json_object_get(role, "keys");

        fprintf(out, "\nrole ");
        put_members(out, "{role}: {threshold} of ", role);
        fprintf(out, "%zu", json_array_size(keys));
        json_array_foreach (json_object_get(role, "paths"), j, o) {
            fprintf(out, j ? ", " : ", for ");
            put(out, json_string_value(o) ? json_string_value(o) : "");
        }
        fputc('\n', out);
        json_array_foreach (keys, j, o) {
            fprintf(out, "  ");
            put_members(out, "{keyid}  {type}\n", o);
        }
    }
}

/* With the version before at hand its changes are what one wants to read of a long list. */
static void print_targets(const json_t *show, FILE *out)
{
    const json_t *targets = json_object_get(show, "targets");
    const json_t *revoked = json_object_get(show, "revoked");
    bool all = !json_object_get(show, "changes");
    size_t i;
    json_t *o;

    if (json_array_size(targets) > 0)
        fprintf(out, "\n%zu listed%s\n", json_array_size(targets), all ? ":" : "");
    json_array_foreach (targets, i, o) {
        if (all) {
            fprintf(out, "  ");
            put_members(out, "{path}  sequence {sequence}  sha256 {sha256}\n", o);
        }
    }
    if (json_array_size(revoked) > 0)
        fprintf(out, "\n%zu revoked:\n", json_array_size(revoked));
    json_array_foreach (revoked, i, o) {
        fprintf(out, "  ");
        put_members(out, "{digest}: {reason}\n", o);
    }
}

void ceremony_show_needs(const json_t *show, FILE *out)
{
    size_t i;
    json_t *o;

    json_array_foreach (json_object_get(show, "needs"), i, o) {
        long long missing = number(o, "threshold") - number(o, "have");

        put_members(out, "{by}: {have} of {threshold} needed", o);
        if (missing > 0)
            fprintf(out, ", %lld missing\n", missing);
        else
            fprintf(out, ", complete\n");
    }
}

static void print_group(const json_t *group, const json_t *signatures, FILE *out)
{
    size_t i, j;
    json_t *o, *s;

    json_array_foreach (json_object_get(group, "keys"), i, o) {
        bool bad = false;

        json_array_foreach (signatures, j, s)
            if (strcmp(text(s, "keyid"), text(o, "keyid")) == 0)
                bad = strcmp(text(s, "state"), "bad") == 0;
        fprintf(out, "  ");
        put_members(out, "{keyid}  ", o);
        fprintf(out, "%s\n",
                json_is_true(json_object_get(o, "signed")) ? "signed"
                : bad                                      ? "BAD SIGNATURE"
                                                           : "not yet");
    }
}

static void print_signatures(const json_t *show, FILE *out)
{
    const json_t *signatures = json_object_get(show, "signatures");
    const json_t *needs = json_object_get(show, "needs");
    size_t i;
    json_t *o;

    json_array_foreach (needs, i, o) {
        json_auto_t *one = json_pack("{s:[O]}", "needs", o);

        fprintf(out, "\nto be signed by ");
        ceremony_show_needs(one, out);
        print_group(o, signatures, out);
    }
    if (json_array_size(needs) == 0)
        fprintf(out,
                "\nnot checked: who is to sign this; --root%s says it\n"
                "%zu signature%s\n",
                strcmp(text(show, "role"), "targets") == 0 ? "" : " and --targets",
                json_array_size(signatures), json_array_size(signatures) == 1 ? "" : "s");
    json_array_foreach (signatures, i, o)
        if (strcmp(text(o, "state"), "unknown") == 0) {
            fprintf(out, "  ");
            put_members(out, "{keyid}  signed, ", o);
            fprintf(out, "%s\n", json_array_size(needs) ? "and has no say" : "not checked");
        }
}

void ceremony_show_print(const json_t *show, FILE *out)
{
    long long left_s = number(show, "expires_in_s");

    put_members(out, "{role} version {version}, expires {expires} ", show);
    if (left_s > 0)
        fprintf(out, "(in %lld day%s)\n", left_s / DAY_S, left_s / DAY_S == 1 ? "" : "s");
    else
        fprintf(out, "(EXPIRED)\n");
    print_changes(show, out);
    print_roles(show, out);
    print_targets(show, out);
    print_signatures(show, out);
}

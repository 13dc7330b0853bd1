/* repo_sign: one more signature under root, targets or content metadata, and signatures that
 * several people made in parallel brought together. Nobody signs what they were not shown: it is
 * printed and asked for; --yes is for scripts whose authors have read it elsewhere. */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ceremony/ceremony_show.h"
#include "ref.h"
#include "repository/repo_file.h"
#include "verbs.h"

#define ANSWER_MAX 16

static int64_t now_s(void)
{
    return clock_wall_ms(clock_system()) / 1000;
}

/* --- repo sign ------------------------------------------------------------------------------ */

static int check_asking(const struct cli *cli, struct err *err)
{
    if (cli_has(cli, "yes") || (!cli->json && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)))
        return 0;
    err_set(err, ERR_USAGE, "there is nobody to ask whether this is to be signed");
    return err_remedy(err, "read it with 'firebreak repo show FILE', then give --yes");
}

/* A file that no client would take, or that is not what others signed, gets no signature. */
static int check_file(const struct repo_view *v, struct err *err)
{
    const struct metadata *m = v->file.m, *previous = v->previous.m;
    int r = ceremony_check_ids(m, v->file.path, err);

    if (r == 0)
        r = ceremony_check_thresholds(m, v->file.path, err);
    if (r == 0)
        r = ceremony_check_bad(v->show, v->file.path, err);
    if (r == 0 && previous && previous->version >= m->version) {
        err_set(err, ERR_ROLLBACK, "'%s' is version %lld, version %lld is there already",
                v->file.path, (long long)m->version, (long long)previous->version);
        return err_remedy(err, "start again from 'firebreak repo get %s'", v->file.role);
    }
    if (r == 0)
        r = metadata_check_expiry(m, now_s(), v->file.path, err);
    if (r == -ERR_EXPIRED)
        err_remedy(err, "renew it with 'firebreak repo renew', or set this machine's clock");
    return r;
}

static int check_say(const struct repo_view *v, const struct key *k, struct err *err)
{
    bool is_root = v->file.m->type == TUF_ROOT;

    if (v->groups.n == 0 || ceremony_has_say(&v->groups, k))
        return 0;
    err_set(err, ERR_UNTRUSTED, "key %.12s has no say in '%s': it would count for nothing",
            key_id(k), v->file.path);
    return err_remedy(err, is_root && v->groups.n == 1
                               ? "give --root OLD if it is a key of the root before this one"
                               : "sign with a key that 'firebreak repo show' lists");
}

static bool is_yes(void)
{
    char answer[ANSWER_MAX];

    printf("\nType yes to sign: ");
    fflush(stdout);
    return fgets(answer, sizeof answer, stdin) && strcmp(answer, "yes\n") == 0;
}

static int ask(const struct cli *cli, const struct repo_view *v, const struct key *k,
               struct err *err)
{
    if (!cli->json)
        ceremony_show_print(v->show, stdout);
    if (v->groups.n == 0)
        fprintf(stderr, "note: not checked whether key %.12s has a say here; --root%s does that\n",
                key_id(k), strcmp(v->file.role, "targets") == 0 ? "" : " and --targets");
    if (cli_has(cli, "yes") || is_yes())
        return 0;
    err_set(err, ERR_REFUSED, "not signed: the answer was not yes");
    return err_remedy(err, "start it again once all that is shown is meant");
}

/* The signature goes under what was shown, not under what may lie in the file by now. */
static int add_signature(struct repo_view *v, const struct signer *signer, struct err *err)
{
    int r = envelope_sign(v->file.m->envelope, signer, err);

    if (r == 0)
        r = repo_view_update(v, now_s(), err);
    return r == 0 ? repo_file_rewrite(&v->file, err) : r;
}

static bool has_signed(const struct repo_view *v, const struct key *k)
{
    const char *state = ceremony_state(v->show, key_id(k));

    return state && strcmp(state, "good") == 0;
}

static void print_signed(const struct cli *cli, const struct repo_view *v, const char *id,
                         bool anew)
{
    json_object_set_new(v->show, "keyid", json_string(id));
    json_object_set_new(v->show, "signed", json_boolean(anew));
    if (cli_result(cli, v->show))
        return;
    printf("\n%s version %lld %s key %.12s\n", v->file.role, (long long)v->file.m->version,
           anew ? "signed with" : "had been signed already with", id);
    ceremony_show_needs(v->show, stdout);
}

static int sign(const struct cli *cli, struct repo_view *v, const struct signer *signer,
                struct err *err)
{
    const struct key *k = signer_key(signer);
    bool before = has_signed(v, k);
    int r = check_say(v, k, err);

    if (r == 0 && !before)
        r = ask(cli, v, k, err);
    if (r == 0 && !before)
        r = add_signature(v, signer, err);
    if (r == 0)
        print_signed(cli, v, key_id(k), !before);
    return r;
}

int repo_sign_run(struct cli *cli, struct err *err)
{
    _cleanup_(signer_free_p)
    struct signer *signer = NULL;
    char passphrase[PASSPHRASE_MAX] = "";
    struct repo_view v = {0};
    bool given = false;
    int r = check_asking(cli, err);

    if (r == 0)
        r = repo_view_open(cli, cli->args[0], now_s(), &v, err);
    if (r == 0)
        r = check_file(&v, err);
    if (r == 0)
        r = ref_passphrase(cli, passphrase, &given, err);
    if (r == 0)
        r = signer_open(cli_get(cli, "key"), given ? passphrase : NULL, &signer, err);
    ref_wipe(passphrase);
    if (r == 0)
        r = sign(cli, &v, signer, err);
    repo_view_release(&v);
    return r;
}

/* --- repo merge ----------------------------------------------------------------------------- */

static int merge_one(struct repo_view *v, const char *path, int *total, struct err *err)
{
    struct repo_file other;
    int added = 0, r = repo_file_read(path, v->file.role, &other, err);

    if (r < 0)
        return r;
    r = ceremony_merge(v->file.m->envelope, other.m->envelope, &v->groups, &added, err);
    repo_file_release(&other);
    *total += added;
    return err_context(err, r, "merge '%s'", path);
}

int repo_merge_run(struct cli *cli, struct err *err)
{
    struct repo_view v = {0};
    int total = 0, r = repo_view_open(cli, cli->args[0], now_s(), &v, err);

    for (int i = 1; r == 0 && i < cli->n_args; i++)
        r = merge_one(&v, cli->args[i], &total, err);
    if (r == 0)
        r = repo_view_update(&v, now_s(), err);
    if (r == 0 && total > 0)
        r = repo_file_rewrite(&v.file, err);
    if (r == 0) {
        json_object_set_new(v.show, "added", json_integer(total));
        if (!cli_result(cli, v.show)) {
            printf("%d signature%s added to %s\n", total, total == 1 ? "" : "s", v.file.path);
            ceremony_show_needs(v.show, stdout);
        }
    }
    repo_view_release(&v);
    return r;
}

/* --- repo show ------------------------------------------------------------------------------ */

int repo_show_run(struct cli *cli, struct err *err)
{
    struct repo_view v = {0};
    int r = repo_view_open(cli, cli->args[0], now_s(), &v, err);

    if (r == 0 && !cli_result(cli, v.show))
        ceremony_show_print(v.show, stdout);
    repo_view_release(&v);
    return r;
}

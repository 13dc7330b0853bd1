/* release_sign: one more signature under a release directory's content metadata. */
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "ref.h"
#include "release/release_dir.h"
#include "verbs.h"

static int sign(const struct cli *cli, struct release_dir *d, const char *passphrase,
                char ret_id[KEY_ID_LEN + 1], struct err *err)
{
    _cleanup_(signer_free_p)
    struct signer *signer = NULL;
    _cleanup_(buf_release)
    struct buf text;
    int r = metadata_check_expiry(d->content, clock_wall_ms(clock_system()) / 1000, d->content_path,
                                  err);

    buf_init(&text, TUF_TARGETS_MAX);
    if (r < 0)
        return err_remedy(err, "build the release again");
    r = signer_open(cli_get(cli, "key"), passphrase, &signer, err);
    if (r == 0)
        r = envelope_sign(d->content->envelope, signer, err);
    if (r == 0)
        r = envelope_dump(d->content->envelope, &text, err);
    if (r == 0)
        r = file_write_durable(d->content_path, text.data, text.len, 0644, err);
    if (r == 0)
        snprintf(ret_id, KEY_ID_LEN + 1, "%s", key_id(signer_key(signer)));
    return r;
}

static void print_signed(const struct cli *cli, const struct release_dir *d, const char *id)
{
    const struct manifest *m = d->manifest;
    int n = release_dir_signatures(d);
    json_auto_t *o = json_pack("{s:s, s:s, s:s, s:s, s:i}", "channel", m->channel, "version",
                               m->version, "digest", m->digest, "keyid", id, "signatures", n);

    if (cli_result(cli, o))
        return;
    printf("%s/%s (%.12s) signed with key %.12s: %d signature%s so far\n", m->channel, m->version,
           m->digest, id, n, n == 1 ? "" : "s");
}

int release_sign_run(struct cli *cli, struct err *err)
{
    char passphrase[PASSPHRASE_MAX] = "", id[KEY_ID_LEN + 1];
    struct release_dir d = {0};
    bool given = false;
    int r = release_dir_read(cli->args[0], &d, err);

    if (r == 0)
        r = release_dir_check_blobs(&d, err);
    if (r == 0)
        r = ref_passphrase(cli, passphrase, &given, err);
    if (r == 0)
        r = sign(cli, &d, given ? passphrase : NULL, id, err);
    ref_wipe(passphrase);
    if (r == 0)
        print_signed(cli, &d, id);
    release_dir_release(&d);
    return r;
}

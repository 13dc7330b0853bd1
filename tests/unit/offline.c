/* offline: see offline.h. */
#include "cmocka_all.h"

#include "offline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fleet/fleet.h"
#include "intake.h"
#include "rollouts/rollouts.h"

#define LIFE_S INT64_C(7776000)

static void must(int r, const struct err *err)
{
    if (r < 0)
        fail_msg("%s", err->msg);
}

int offline_open(struct site *site, struct err *err)
{
    site_open(site);
    must(fleet_open(&site->s, &site->s.fleet, err), err);
    must(rollouts_open(&site->s, &site->s.rollouts, err), err);
    return intake_at_start(&site->s, err);
}

void offline_close(struct site *site)
{
    rollouts_free(take_ptr(site->s.rollouts));
    fleet_free(take_ptr(site->s.fleet));
    site_close(site);
}

/* --- making ---------------------------------------------------------------------------------- */

json_t *offline_next(struct site *site, const char *role)
{
    struct repo_role roles[REPO_ROLES_MAX];
    size_t n = repo_roles(&site->s, roles), len;
    char path[128], expires[21];
    struct blob *b;
    const void *data;
    json_t *o, *body;
    int64_t version = 0;

    for (size_t i = 0; i < n; i++)
        if (strcmp(roles[i].name, role) == 0)
            version = roles[i].version;
    assert_true(version > 0);
    snprintf(path, sizeof path, "metadata/%lld.%s.json", (long long)version, role);
    b = repo_get(site->s.repo, path);
    assert_non_null(b);
    data = blob_data(b, &len);
    o = json_loadb(data, len, 0, NULL);
    blob_unref(b);
    body = json_deep_copy(json_object_get(o, "signed"));
    json_decref(o);
    clock_format_utc(site->at.wall_ms / 1000 + LIFE_S, expires);
    json_object_set_new(body, "version", json_integer(version + 1));
    json_object_set_new(body, "expires", json_string(expires));
    return body;
}

static struct signer *open_signer(const struct site *site, const char *name)
{
    struct signer *s = NULL;
    char path[256];
    struct err err = {0};

    snprintf(path, sizeof path, "%s/%s.pem", site->dir, name);
    must(signer_open(path, NULL, &s, &err), &err);
    return s;
}

char *offline_sign(struct site *site, json_t *body, const char *keys)
{
    json_auto_t *envelope = envelope_new(body);
    char names[512], *rest = names;
    const char *name;
    struct buf text;
    struct err err = {0};

    snprintf(names, sizeof names, "%s", keys);
    while ((name = strsep(&rest, " "))) {
        struct signer *s = open_signer(site, name);

        must(envelope_sign(envelope, s, &err), &err);
        signer_free(s);
    }
    buf_init(&text, TUF_TARGETS_MAX);
    must(envelope_dump(envelope, &text, &err), &err);
    json_decref(body);
    return buf_detach(&text, NULL);
}

struct key *offline_public(struct site *site, const char *name)
{
    _cleanup_(signer_free_p)
    struct signer *s = open_signer(site, name);
    json_auto_t *o = key_to_json(signer_key(s));
    struct key *k = NULL;
    struct err err = {0};

    must(key_from_json(o, &k, &err), &err);
    return k;
}

struct key *offline_key(struct site *site, const char *name)
{
    struct key *k = NULL;
    char path[256];
    struct err err = {0};

    snprintf(path, sizeof path, "%s/%s.pem", site->dir, name);
    must(key_generate("ed25519", path, NULL, &k, &err), &err);
    return k;
}

void offline_root_role(json_t *root, const char *role, struct key *const *keys, size_t n,
                       int threshold)
{
    assert_int_equal(
        metadata_root_set_role(root, role, (const struct key *const *)keys, n, threshold), 0);
}

void offline_delegate(json_t *targets, const char *role, const char *path, struct key *const *keys,
                      size_t n, int threshold)
{
    assert_int_equal(metadata_targets_delegate(targets, role, &path, 1,
                                               (const struct key *const *)keys, n, threshold),
                     0);
}

void offline_undelegate(json_t *targets, const char *role)
{
    json_t *roles = json_object_get(json_object_get(targets, "delegations"), "roles"), *o;
    size_t i;

    json_array_foreach (roles, i, o)
        if (strcmp(json_string_value(json_object_get(o, "name")), role) == 0) {
            json_array_remove(roles, i);
            return;
        }
    fail_msg("'%s' is not delegated", role);
}

/* --- handing in ------------------------------------------------------------------------------ */

int offline_take_all(struct site *site, struct repo_upload *files, size_t n, struct err *err)
{
    int r;

    pthread_mutex_lock(&site->s.site);
    r = intake_take(&site->s, files, n, "releaser", err);
    pthread_mutex_unlock(&site->s.site);
    for (size_t i = 0; i < n; i++)
        free((char *)(uintptr_t)files[i].text);
    return r;
}

int offline_take(struct site *site, const char *role, char *text, struct err *err)
{
    struct repo_upload file = {.role = role, .text = text, .len = strlen(text)};

    return offline_take_all(site, &file, 1, err);
}

int offline_take2(struct site *site, const char *role, char *text, const char *role2, char *text2,
                  struct err *err)
{
    struct repo_upload files[] = {{.role = role, .text = text, .len = strlen(text)},
                                  {.role = role2, .text = text2, .len = strlen(text2)}};

    return offline_take_all(site, files, 2, err);
}

void offline_lay_down(struct site *site, const char *role, int version, char *text)
{
    char path[512];
    struct err err = {0};

    snprintf(path, sizeof path, "%s/%d.%s.json", site->s.config.bootstrap_dir, version, role);
    must(file_write_durable(path, text, strlen(text), 0644, &err), &err);
    free(text);
}

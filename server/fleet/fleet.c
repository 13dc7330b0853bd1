/* fleet: see fleet.h. */
#include "fleet/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/fleet_internal.h"

#define CANARY_GROUP "canary"

struct fleet *fleet_new(void)
{
    return calloc(1, sizeof(struct fleet));
}

static void device_free(struct device *d)
{
    free(d->answer);
    free(d->channels);
    free(d);
}

void fleet_free(struct fleet *f)
{
    if (!f)
        return;
    strindex_release(&f->by_id);
    strindex_release(&f->by_attempt);
    strindex_release(&f->by_group);
    for (int64_t i = 0; i < f->n; i++)
        device_free(f->devices[i]);
    free(f->devices);
    free(f);
}

struct device *fleet_find(const struct fleet *f, const char *device_id)
{
    int64_t i = strindex_find(&f->by_id, device_id);

    return i < 0 ? NULL : f->devices[i];
}

struct device *fleet_find_attempt(const struct fleet *f, const char *attempt)
{
    int64_t i = strindex_find(&f->by_attempt, attempt);

    return i < 0 ? NULL : f->devices[i];
}

int64_t fleet_size(const struct fleet *f)
{
    return f->n;
}

struct device *fleet_at(const struct fleet *f, int64_t index)
{
    return f->devices[index];
}

int fleet_groups(const struct fleet *f)
{
    return (int)f->by_group.used;
}

bool goodbye_is_away(const char *cause)
{
    return strcmp(cause, "reboot") != 0;
}

bool device_in_canary_group(const struct device *d, const char *channel)
{
    const struct device_channel *dc = device_channel_find(d, channel);

    return strcmp(d->group, CANARY_GROUP) == 0 || (dc && dc->canary);
}

static void copy(char *ret, size_t size, const char *s)
{
    snprintf(ret, size, "%s", s ? s : "");
}

static struct device *device_new(const uint8_t master[SHA256_LEN], const struct row_device *row)
{
    struct device *d = calloc(1, sizeof *d);

    if (!d)
        return NULL;
    copy(d->id, sizeof d->id, row->id);
    copy(d->attempt, sizeof d->attempt, row->attempt);
    copy(d->token_id, sizeof d->token_id, row->token_id);
    copy(d->machine, sizeof d->machine, row->machine);
    copy(d->group, sizeof d->group, row->grp);
    copy(d->platform.os, sizeof d->platform.os, row->os);
    copy(d->platform.os_version, sizeof d->platform.os_version, row->os_version);
    copy(d->platform.arch, sizeof d->platform.arch, row->arch);
    copy(d->platform.label, sizeof d->platform.label, row->label);
    platform_cohort(&d->platform, d->cohort);
    draw_key_derive(master, d->id, d->draw_key);
    d->generation = row->generation;
    d->enrolled_ms = row->enrolled_ms;
    d->no_evidence = row->no_evidence;
    d->seen_boot_ms = d->seen_wall_ms = -1;
    d->consumer_crash_ms = d->crash_ms = -1;
    return d;
}

static int room(struct fleet *f)
{
    int64_t size = f->size ? f->size * 2 : 64;
    struct device **p;

    if (f->n < f->size)
        return 0;
    p = realloc(f->devices, (size_t)size * sizeof *p);
    if (!p)
        return -ERR_NOMEM;
    f->devices = p;
    f->size = size;
    return 0;
}

static int index_device(struct fleet *f, struct device *d)
{
    int r = strindex_add(&f->by_id, d->id, f->n);

    if (r == 0 && d->attempt[0] && strindex_find(&f->by_attempt, d->attempt) < 0)
        r = strindex_add(&f->by_attempt, d->attempt, f->n);
    if (r == 0 && strindex_find(&f->by_group, d->group) < 0)
        r = strindex_add(&f->by_group, d->group, (int64_t)f->by_group.used);
    if (r == 0)
        d->group_index = (int)strindex_find(&f->by_group, d->group);
    return r;
}

int fleet_add(struct fleet *f, const uint8_t master[SHA256_LEN], const struct row_device *row,
              struct device **ret, struct err *err)
{
    struct device *d;
    int r;

    if (fleet_find(f, row->id))
        return err_set(err, ERR_EXISTS, "device %s exists", row->id);
    if (room(f) < 0 || !(d = device_new(master, row)))
        return err_set(err, ERR_NOMEM, "no memory for device %s", row->id);
    d->index = (uint32_t)f->n;
    f->devices[f->n] = d;
    r = index_device(f, d);
    f->n++; /* kept even where an index failed: the others may point at it */
    if (r < 0)
        return err_set(err, ERR_NOMEM, "no memory to index device %s", row->id);
    *ret = d;
    return 0;
}

struct row_device device_row(const struct device *d)
{
    return (struct row_device){.id = d->id,
                               .grp = d->group,
                               .token_id = d->token_id,
                               .attempt = d->attempt,
                               .machine = d->machine,
                               .os = d->platform.os,
                               .os_version = d->platform.os_version,
                               .arch = d->platform.arch,
                               .label = d->platform.label,
                               .generation = d->generation,
                               .enrolled_ms = d->enrolled_ms,
                               .no_evidence = d->no_evidence};
}

const struct device_channel *device_channel_find(const struct device *d, const char *channel)
{
    for (int i = 0; i < d->n_channels; i++)
        if (strcmp(d->channels[i].channel, channel) == 0)
            return &d->channels[i];
    return NULL;
}

struct device_channel *device_channel(struct device *d, const char *channel)
{
    struct device_channel *p;

    for (int i = 0; i < d->n_channels; i++)
        if (strcmp(d->channels[i].channel, channel) == 0)
            return &d->channels[i];
    if (d->n_channels == CHECKIN_MAX_CHANNELS)
        return NULL;
    p = realloc(d->channels, (size_t)(d->n_channels + 1) * sizeof *p);
    if (!p)
        return NULL;
    d->channels = p;
    p = &p[d->n_channels++];
    *p = (struct device_channel){
        .ready_tick = -1, .last_tick = -1, .crash_tick = -1, .reboot_tick = -1, .ground = -1};
    copy(p->channel, sizeof p->channel, channel);
    return p;
}

bool device_event_is_new(struct device *d, const char *event_id)
{
    uint64_t id = 0;

    for (int i = 0; i < 16 && event_id[i]; i++) {
        char c = event_id[i];

        id = id << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    if (id == 0)
        id = 1;
    for (int i = 0; i < FLEET_EVENT_MEMORY; i++)
        if (d->events[i] == id)
            return false;
    d->events[d->next_event] = id;
    d->next_event = (d->next_event + 1) % FLEET_EVENT_MEMORY;
    return true;
}

enum numbering device_numbering(const struct device *d, const char *epoch, int64_t number,
                                const char *body_sha256, bool *ret_proof)
{
    *ret_proof = false;
    if (strcmp(d->epoch, epoch) != 0) {
        for (int i = 0; i < FLEET_PAST_EPOCHS; i++)
            if (strcmp(d->past_epochs[i], epoch) == 0)
                return NUMBERING_FORKED;
        return NUMBERING_NEXT;
    }
    if (number > d->number)
        return NUMBERING_NEXT;
    if (number < d->number)
        return NUMBERING_FORKED;
    if (strcmp(d->body_sha256, body_sha256) == 0 && d->answer)
        return NUMBERING_REPEAT;
    *ret_proof = true;
    return NUMBERING_FORKED;
}

int device_number(struct device *d, const char *epoch, int64_t number, const char *body_sha256,
                  const char *answer, struct err *err)
{
    char *kept = strdup(answer);

    if (!kept)
        return err_set(err, ERR_NOMEM, "no memory for the answer to device %s", d->id);
    if (d->epoch[0] && strcmp(d->epoch, epoch) != 0) {
        memcpy(d->past_epochs[d->next_past], d->epoch, sizeof d->epoch);
        d->next_past = (d->next_past + 1) % FLEET_PAST_EPOCHS;
    }
    copy(d->epoch, sizeof d->epoch, epoch);
    copy(d->body_sha256, sizeof d->body_sha256, body_sha256);
    d->number = number;
    free(d->answer);
    d->answer = kept;
    return 0;
}

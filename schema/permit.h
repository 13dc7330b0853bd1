/*
 * permit: the lease to apply one release on one device, answered to its own nonce (DESIGN section
 * 4, CONTRACTS). Counted on the agent's boot clock from the making of the nonce, void after a
 * reboot.
 */
#ifndef FIREBREAK_PERMIT_H
#define FIREBREAK_PERMIT_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "draw.h"
#include "manifest.h"
#include "tuf/envelope.h"

#define NONCE_LEN     32 /* hexadecimal digits */
#define BOOT_ID_MAX   64
#define PERMIT_LIFE_S 60 /* plus the preflight deadline */

enum permit_kind { PERMIT_ROLLOUT, PERMIT_BASELINE };
const char *permit_kind_name(enum permit_kind k);

struct permit {
    enum permit_kind kind;
    char device[DEVICE_ID_LEN + 1];
    char channel[CHANNEL_NAME_MAX];
    char digest[65];
    char nonce[NONCE_LEN + 1];
    int64_t snapshot_version; /* of the metadata that the device verified */
    int64_t server_time;      /* Unix seconds; informative */
    int64_t valid_s;
};

/* The signed envelope (new reference). */
int permit_sign(const struct permit *p, const struct signer *signer, json_t **ret, struct err *err);

/* What the agent asked with, kept in memory only and lost with the boot. */
struct permit_request {
    char device[DEVICE_ID_LEN + 1];
    char channel[CHANNEL_NAME_MAX];
    char digest[65];
    char nonce[NONCE_LEN + 1];
    int64_t snapshot_version;
    char boot_id[BOOT_ID_MAX]; /* when the nonce was made */
    int64_t made_boot_ms;      /* boot clock when the nonce was made */
};

/* Verify signature (permit keys of the verified plan), kind, binding and life. Every mismatch is
 * ERR_BAD_PERMIT (ERR_UNDERSIGNED for the signature) and names the field. */
int permit_check(const json_t *envelope, const struct key_set *permit_keys,
                 const struct permit_request *rq, const char *boot_id, int64_t now_boot_ms,
                 struct permit *ret, struct err *err);

#endif

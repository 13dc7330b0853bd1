/* draw: see draw.h. */
#include "draw.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pace.h"

#define PART(s)                                                                                    \
    {                                                                                              \
        (s), strlen(s) + 1                                                                         \
    } /* with the NUL that separates it from what follows */

void draw_key_derive(const uint8_t master[SHA256_LEN], const char *device_id,
                     uint8_t ret[SHA256_LEN])
{
    const struct hmac_part parts[] = {PART("firebreak/draw/1"), {device_id, strlen(device_id)}};

    hmac_sha256(master, SHA256_LEN, parts, 2, ret);
}

void device_key_derive(const uint8_t master[SHA256_LEN], const char *device_id, int64_t generation,
                       uint8_t ret[SHA256_LEN])
{
    char number[24];
    const struct hmac_part parts[] = {
        PART("firebreak/device/1"),
        PART(device_id),
        {number, (size_t)snprintf(number, sizeof number, "%" PRId64, generation)}};

    hmac_sha256(master, SHA256_LEN, parts, 3, ret);
}

static uint64_t draw(const uint8_t draw_key[SHA256_LEN], const char *label, const char *digest_hex)
{
    uint8_t digest[SHA256_LEN], mac[SHA256_LEN];
    const struct hmac_part parts[] = {PART(label), {digest, sizeof digest}};
    uint64_t u = 0;

    /* What is not a digest is due last, if at all. */
    if (hex_decode(digest_hex, digest, sizeof digest) < 0)
        return UINT64_MAX;
    hmac_sha256(draw_key, SHA256_LEN, parts, 2, mac);
    for (int i = 0; i < 8; i++)
        u = u << 8 | mac[i];
    return u;
}

uint64_t draw_u(const uint8_t draw_key[SHA256_LEN], const char *digest_hex)
{
    return draw(draw_key, "draw", digest_hex);
}

uint64_t draw_v(const uint8_t draw_key[SHA256_LEN], const char *digest_hex)
{
    return draw(draw_key, "track", digest_hex);
}

int draw_within(uint64_t u, int64_t share_ppm)
{
    return (int64_t)((unsigned __int128)u * PPM >> 64) < share_ppm;
}

int draw_last_within(int64_t share_ppm, uint64_t *ret)
{
    /* The first draw that is not within: the least u with u * PPM >= share * 2^64. */
    unsigned __int128 end = ((unsigned __int128)share_ppm << 64) + PPM - 1;

    if (share_ppm <= 0)
        return 0;
    *ret = share_ppm >= PPM ? UINT64_MAX : (uint64_t)(end / PPM - 1);
    return 1;
}

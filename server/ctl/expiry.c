/* expiry: see expiry.h. */
#include "expiry.h"

#include <string.h>

#include "table.h"

#define HOUR_S 3600
#define DAY_S  86400

static const struct {
    const char *role;
    int64_t warn_s; /* lives of a day and of a week, by default */
} online[] = {{"timestamp", 6 * HOUR_S}, {"snapshot", DAY_S}, {"rollout", DAY_S}};

static int64_t online_warn_s(const char *role)
{
    for (size_t i = 0; i < sizeof online / sizeof online[0]; i++)
        if (strcmp(online[i].role, role) == 0)
            return online[i].warn_s;
    return 0;
}

bool expiry_is_online(const char *role)
{
    return online_warn_s(role) > 0;
}

int64_t expiry_warn_s(const char *role, int64_t warn_days)
{
    return expiry_is_online(role) ? online_warn_s(role) : warn_days * DAY_S;
}

void expiry_text(const char *role, int64_t version, int64_t left_s, char *ret, size_t size)
{
    char span[32];

    table_format_duration(left_s > 0 ? left_s : -left_s, span);
    if (left_s > 0)
        snprintf(ret, size, "%s version %lld expires in %s", role, (long long)version, span);
    else
        snprintf(ret, size, "%s version %lld expired %s ago", role, (long long)version, span);
}

const char *expiry_remedy(const char *role)
{
    return expiry_is_online(role)
               ? "the server renews it by itself: look why it does not"
               : "renew it with 'firebreak repo renew', and have it signed and published";
}

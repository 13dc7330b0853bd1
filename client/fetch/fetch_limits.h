/* fetch_limits: what the fetching child may use. */
#ifndef FIREBREAK_CLIENT_FETCH_LIMITS_H
#define FIREBREAK_CLIENT_FETCH_LIMITS_H

/* Set the limits on this process, between fork and exec. */
void fetch_limits_set(void);

#endif

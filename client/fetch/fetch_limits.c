/* fetch_limits: see fetch_limits.h. */
#include "fetch/fetch_limits.h"

#include <sys/resource.h>

#include "manifest.h"

#define FILES        64
#define CPU_S        600
#define MEMORY_BYTES (1 << 30) /* libcurl, OpenSSL and the largest metadata, many times over */

static void set(int resource, rlim_t value)
{
    struct rlimit r = {value, value};

    setrlimit(resource, &r);
}

void fetch_limits_set(void)
{
    set(RLIMIT_CORE, 0); /* a job can hold a token */
    set(RLIMIT_NOFILE, FILES);
    set(RLIMIT_CPU, CPU_S);
    set(RLIMIT_FSIZE, (rlim_t)MANIFEST_FILE_MAX);
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__ /* which reserve terabytes */
    set(RLIMIT_AS, MEMORY_BYTES);
#endif
}

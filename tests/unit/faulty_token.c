/* faulty_token: SoftHSM's PKCS#11 module but for C_Login, which does what the environment variable
 * FAULTY_TOKEN says: "locked", "hang", "crash", else as SoftHSM. Each call of it adds a
 * byte to the file that FAULTY_TOKEN_CALLS names. */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOFTHSM     "/usr/lib/softhsm/libsofthsm2.so"
#define N_FUNCTIONS 68 /* of CK_FUNCTION_LIST, PKCS#11 2.40 */
#define N_LOGIN     18
#define CKR_GENERAL 0x05
#define CKR_LOCKED  0xa4

typedef unsigned long login_fn(unsigned long session, unsigned long user, unsigned char *pin,
                               unsigned long pin_len);

struct functions {
    struct {
        unsigned char major, minor;
    } version;
    void *at[N_FUNCTIONS];
};

unsigned long C_GetFunctionList(struct functions **ret);

static struct functions ours;
static login_fn *softhsm_login;

static unsigned long login(unsigned long session, unsigned long user, unsigned char *pin,
                           unsigned long pin_len)
{
    const char *fault = getenv("FAULTY_TOKEN"), *calls = getenv("FAULTY_TOKEN_CALLS");
    FILE *f = calls ? fopen(calls, "a") : NULL;

    if (f) {
        fputc('x', f);
        fclose(f);
    }
    if (!fault)
        return softhsm_login(session, user, pin, pin_len);
    if (!strcmp(fault, "locked"))
        return CKR_LOCKED;
    if (!strcmp(fault, "crash"))
        raise(SIGSEGV);
    while (!strcmp(fault, "hang"))
        pause();
    return softhsm_login(session, user, pin, pin_len);
}

unsigned long C_GetFunctionList(struct functions **ret)
{
    void *lib = dlopen(SOFTHSM, RTLD_NOW);
    unsigned long (*theirs)(struct functions **) =
        lib ? (unsigned long (*)(struct functions **))dlsym(lib, "C_GetFunctionList") : NULL;
    struct functions *list;
    unsigned long r = theirs ? theirs(&list) : CKR_GENERAL;

    if (r)
        return r;
    ours = *list;
    softhsm_login = (login_fn *)ours.at[N_LOGIN];
    ours.at[N_LOGIN] = (void *)login;
    *ret = &ours;
    return 0;
}

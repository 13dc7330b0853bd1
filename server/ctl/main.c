/* firebreak: see program.h. */
#include "program.h"

#include <signal.h>

int main(int argc, char **argv)
{
    /* who starts us may ignore it, and then nobody learns whether a signer command failed */
    signal(SIGCHLD, SIG_DFL);
    return cli_main(&program, argc, argv);
}

/* firebreak: see program.h. */
#include "program.h"

int main(int argc, char **argv)
{
    return cli_main(&program, argc, argv);
}

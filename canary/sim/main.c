/* firebreak-sim: rollouts of millions of devices, played against the real gate. */
#include "base/cli.h"
#include "golden.h"

static int golden_verb(struct cli *cli, struct err *err)
{
    json_t *o = cli->json ? golden_json() : NULL;

    if (cli->json && !o)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (!cli_result(cli, o))
        golden_print(stdout);
    json_decref(o);
    return 0;
}

static const struct cli_verb verbs[] = {
    {"golden", "", "print the gate's arithmetic on fixed counts, to compare with others", NULL,
     golden_verb},
    {0},
};

static const struct cli_program program = {
    "firebreak-sim",
    "plays rollouts of millions of devices against the real gate",
    NULL,
    verbs,
};

int main(int argc, char **argv)
{
    return cli_main(&program, argc, argv);
}

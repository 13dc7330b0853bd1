/* run: the fleet's loop: due endpoints ask, answers come back, until told to stop. */
#ifndef FIREBREAK_FLEET_RUN_H
#define FIREBREAK_FLEET_RUN_H

#include "net/http.h"
#include "script.h"

struct run_options {
    const struct script *script;
    struct http_options http;
    const char *root_file;  /* NULL: the server's own root 1 */
    const char *token;      /* enrolment token */
    const char *out;        /* result.json */
    const char *ready_file; /* once all are enrolled and heard; NULL none */
    int64_t duration_s;     /* 0: until SIGTERM or SIGINT */
    int stop_fd;            /* signalfd: SIGUSR1 writes the result, any other signal stops */
};

int run_fleet(const struct run_options *o, struct err *err);

#endif

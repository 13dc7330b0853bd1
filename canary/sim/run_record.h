/* run_record: one seed, recorded tick by tick into a file (record.h). */
#ifndef FIREBREAK_SIM_RUN_RECORD_H
#define FIREBREAK_SIM_RUN_RECORD_H

#include "run.h"

/* A table_play (table.h); ctx: the file's path. What was there is replaced; where it fails no half
 * of a record stays. */
int run_record(const struct scenario *s, const struct policy *p, uint64_t seed, const void *path,
               struct outcome *ret, struct err *err);

#endif

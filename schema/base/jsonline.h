/*
 * jsonline: where in a JSON text a member stands, so that an error about its value can name the
 * line.
 */
#ifndef FIREBREAK_JSONLINE_H
#define FIREBREAK_JSONLINE_H

#include <stddef.h>

/* Line (from 1) of the member at `path` ("defect.share", "cohorts[3].name") in a text that
 * jsonx_parse accepts; 1 where there is none. */
int jsonline_of(const char *data, size_t len, const char *path);

#endif

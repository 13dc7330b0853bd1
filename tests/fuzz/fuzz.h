/*
 * fuzz: what the targets share. A target is one file, fuzz_<name>.c, that reads one hostile format
 * from the bytes given and checks that what it lets in keeps its promises: not crashing is the
 * least of them.
 *
 * Built with clang and FIREBREAK_FUZZ=ON, libFuzzer drives a target (tests/fuzz/run). Built with
 * any compiler, replay.c runs it over files: ctest fuzz_corpus_<name> over corpus/<name>/.
 *
 * To add a target: its file, its row in CMakeLists.txt, at least one seed in corpus/<name>/. An
 * input that once failed goes into the corpus with its fix.
 */
#ifndef FIREBREAK_FUZZ_TARGET_H
#define FIREBREAK_FUZZ_TARGET_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"

/* Largest text that a target makes of its input. */
#define FUZZ_TEXT_MAX (8 * 1024 * 1024)

/* Unlike assert, never compiled out. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* True for success. A failure must be told: the code that was returned, and a message that may be
 * printed and put into JSON, whatever the input was. */
int fuzz_ok(int r, const struct err *err);

/* A NUL-terminated copy (free()). */
char *fuzz_text(const uint8_t *data, size_t len);

/* The value as text that is equal for equal values (free()). */
char *fuzz_dump(const json_t *v);

/* Every member that `dumped` has was in the input, with the same value: a codec invents nothing and
 * mixes nothing up. Apart from "detail", which is cleaned, and a manifest's "critical", which is
 * judged and not kept. */
void fuzz_adds_nothing(const struct buf *dumped, const uint8_t *data, size_t len);

/* Both texts are the same; where not, they are shown. */
void fuzz_same(const char *a, const char *b);

#endif

/*
 * text: which text from outside is let in, and how captured output is made fit to store and show.
 */
#ifndef FIREBREAK_TEXT_H
#define FIREBREAK_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A copy of at most max_bytes (cut between characters) in which every byte that is not UTF-8 and
 * every control character other than newline and tab has become '?'. malloc'd; NULL: no memory. */
char *text_clean(const char *s, size_t max_bytes);

/* For "%.*s" in messages: how many bytes of s to show, at most max, cut between characters. */
int text_shown(const char *s, size_t max_bytes);

/* [A-Za-z0-9][A-Za-z0-9._+-]* : versions, platforms, causes, slugs. ERR_INVALID. */
int text_word_check(const char *s, struct err *err);

/* A word, or two with '/' between them (platform build and customer label). ERR_INVALID. */
int text_cohort_check(const char *s, struct err *err);

#endif

/*
 * utf8: text from outside, character by character.
 */
#ifndef FIREBREAK_UTF8_H
#define FIREBREAK_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Length in bytes of the UTF-8 sequence at s (RFC 3629: no overlong form, no surrogate, at most
 * U+10FFFF), its code point in *ret_cp. 0 where there is none, and at the terminating NUL. */
size_t utf8_next(const char *s, uint32_t *ret_cp);

/* True for C0, DEL and C1 controls. */
int utf8_is_control(uint32_t cp);

/* Make s fit to print on one line and to put into JSON, in place: white space other than ' '
 * becomes ' ', every other control character and byte that is not UTF-8 becomes '?'. */
void utf8_make_line(char *s);

#endif

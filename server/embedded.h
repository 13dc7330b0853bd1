/* embedded: files that are part of the program (embed.cmake), NUL-terminated. */
#ifndef FIREBREAK_SERVER_EMBEDDED_H
#define FIREBREAK_SERVER_EMBEDDED_H

extern const char embedded_page[]; /* dashboard/index.html */

#endif

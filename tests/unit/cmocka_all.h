/* cmocka wants these in this order. */
#ifndef FIREBREAK_CMOCKA_ALL_H
#define FIREBREAK_CMOCKA_ALL_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#endif

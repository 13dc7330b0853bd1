/*
 * log: structured lines on standard error, journald-friendly: "<6>checkin: refused device=... ".
 *
 * Programs log, libraries do not. The level prefix (sd-daemon(3)) is written when standard error is
 * the journal or a file, a plain word otherwise. LOG_TRACE=store,-http opens or shuts the debug
 * lines of a subsystem. Control characters in what is logged are escaped; secrets are never given.
 */
#ifndef FIREBREAK_LOG_H
#define FIREBREAK_LOG_H

enum log_level { LOG_LVL_ERROR = 3, LOG_LVL_WARN = 4, LOG_LVL_INFO = 6, LOG_LVL_DEBUG = 7 };

void log_at(enum log_level level, const char *subsystem, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(subsystem, ...) log_at(LOG_LVL_ERROR, subsystem, __VA_ARGS__)
#define log_warn(subsystem, ...)  log_at(LOG_LVL_WARN, subsystem, __VA_ARGS__)
#define log_info(subsystem, ...)  log_at(LOG_LVL_INFO, subsystem, __VA_ARGS__)
#define log_debug(subsystem, ...) log_at(LOG_LVL_DEBUG, subsystem, __VA_ARGS__)

#endif

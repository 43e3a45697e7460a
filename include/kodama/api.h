/* Visibility, version and compiler attributes shared by every public header. */
#ifndef KODAMA_API_H
#define KODAMA_API_H

/** Version of the headers; kodama_version() tells that of the library in use. */
#define KODAMA_VERSION_MAJOR 0
#define KODAMA_VERSION_MINOR 1
#define KODAMA_VERSION_PATCH 0
#define KODAMA_VERSION "0.1.0"

#if defined(__GNUC__)
#define KODAMA_API __attribute__((visibility("default")))
#define KODAMA_MUST_USE __attribute__((warn_unused_result))
#define KODAMA_PRINTF(format_index, first_argument) \
    __attribute__((format(printf, format_index, first_argument)))
#else
#define KODAMA_API
#define KODAMA_MUST_USE
#define KODAMA_PRINTF(format_index, first_argument)
#endif

/** No time limit, for every parameter named `timeout_ns`; 0 means "do not wait". */
#define KODAMA_FOREVER (-1)

/**
 * Version of the library in use.
 *
 * @return a static string such as "0.1.0"
 *
 * Thread: any. Real-time safe: yes.
 */
KODAMA_API const char *kodama_version(void);

#endif

/*
 * http_curl.h - libcurl, loaded with the first job of type http.
 *
 * libcurl brings some thirty libraries along, and they take 7 of the 14 MB of a daemon that needs
 * none of them: many never run an http job. Functions are called by their own names with lazy_
 * before. To load it takes the loop 5 ms, once.
 *
 * Loop thread only.
 */
#ifndef AW_HTTP_CURL_H
#define AW_HTTP_CURL_H

#define CURL_DISABLE_TYPECHECK   /* its macros call the functions that are linked */
#define CURL_DISABLE_DEPRECATION /* as naming one is as bad as calling it */
#include <curl/curl.h>

#include "proto/base.h"

#define LAZY_CURL(X)            \
    X(curl_easy_cleanup)        \
    X(curl_easy_getinfo)        \
    X(curl_easy_init)           \
    X(curl_easy_pause)          \
    X(curl_easy_setopt)         \
    X(curl_easy_strerror)       \
    X(curl_global_cleanup)      \
    X(curl_global_init)         \
    X(curl_multi_add_handle)    \
    X(curl_multi_assign)        \
    X(curl_multi_cleanup)       \
    X(curl_multi_info_read)     \
    X(curl_multi_init)          \
    X(curl_multi_remove_handle) \
    X(curl_multi_setopt)        \
    X(curl_multi_socket_action) \
    X(curl_multi_socket_all)    \
    X(curl_multi_strerror)      \
    X(curl_slist_append)        \
    X(curl_slist_free_all)      \
    X(curl_version_info)

#define LAZY_DECLARE(f) extern __typeof__(f) *lazy_##f;
LAZY_CURL(LAZY_DECLARE)
#undef LAZY_DECLARE

/*
 * Loads it and makes it ready, or counts one user more. AW_ERR_SYSTEM: it is not there, or of no
 * use. Each success wants one http_curl_done(); the library itself stays.
 */
AW_MUSTCHECK enum aw_err http_curl_use(struct aw_error *err);
void http_curl_done(void);

#endif

#include "daemon/transports/net_listener.h"

#include <nng/supplemental/tls/tls.h>

#include "daemon/transports/key_file.h"
#include "proto/limits.h"
#include "proto/sp.h"

static enum aw_err failed(struct aw_error *err, const char *url, const char *what, int rv)
{
    enum aw_err code = rv == NNG_ENOMEM ? AW_ERR_NO_MEMORY : AW_ERR_SYSTEM;

    return aw_fail(err, code, "cannot listen on %s: %s%s", url, what, nng_strerror(rv));
}

static enum aw_err set_tls(nng_listener listener, const struct endpoint_config *config,
                           const char *url, struct aw_error *err)
{
    const char *cert = config->tls_cert_key_file, *ca = config->tls_ca_file;
    nng_tls_config *tls;
    enum aw_err e = key_file_check("tls_cert", cert, err);
    int rv;

    if (e)
        return e;
    rv = nng_tls_config_alloc(&tls, NNG_TLS_MODE_SERVER);
    if (rv)
        return failed(err, url, "", rv);
    if ((rv = nng_tls_config_cert_key_file(tls, cert, NULL)))
        e = aw_fail(err, AW_ERR_INVALID, "tls_cert %s is no PEM file with certificate and key: %s",
                    cert, nng_strerror(rv));
    else if ((rv = nng_tls_config_ca_file(tls, ca)))
        e = aw_fail(err, AW_ERR_INVALID, "tls_ca %s is no PEM file with certificates: %s", ca,
                    nng_strerror(rv));
    else if ((rv = nng_tls_config_auth_mode(tls, NNG_TLS_AUTH_MODE_REQUIRED)) ||
             (rv = nng_listener_set_ptr(listener, NNG_OPT_TLS_CONFIG, tls)))
        e = failed(err, url, "TLS: ", rv);
    nng_tls_config_free(tls);
    return e;
}

enum aw_err net_listener_start(nng_socket socket, const struct endpoint_config *config,
                               const char *url, bool tls, struct aw_error *err)
{
    nng_listener listener;
    enum aw_err e = AW_OK;
    int rv = nng_listener_create(&listener, socket, url);

    if (rv)
        return failed(err, url, "", rv);
    /* The limit is off by default: a header of 8 bytes could then ask for any amount. */
    rv = nng_listener_set_size(listener, NNG_OPT_RECVMAXSZ, AW_MAX_MESSAGE + SP_REQUEST_ID_LEN);
    if (!rv && tls)
        e = set_tls(listener, config, url, err);
    if (!rv && !e)
        rv = nng_listener_start(listener, 0);
    if (rv)
        e = failed(err, url, "", rv);
    if (e)
        nng_listener_close(listener);
    return e;
}

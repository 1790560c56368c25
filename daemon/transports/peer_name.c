#include "daemon/transports/peer_name.h"

#include <dlfcn.h>
#include <mbedtls/oid.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

static _Thread_local struct peer_name noted;

void peer_name_forget(void)
{
    memset(&noted, 0, sizeof(noted));
}

const struct peer_name *peer_name_noted(void)
{
    return &noted;
}

static bool put(char *text, size_t *len, char c)
{
    if (*len + 1 >= PEER_NAME)
        return false;
    text[(*len)++] = c;
    text[*len] = '\0';
    return true;
}

static bool put_all(char *text, size_t *len, const char *s)
{
    for (; *s; s++)
        if (!put(text, len, *s))
            return false;
    return true;
}

/* So that no value can look like the end of itself and another attribute. */
static bool put_value(char *text, size_t *len, struct bytes value)
{
    const unsigned char *p = value.data;

    for (size_t i = 0; i < value.len; i++) {
        if (p[i] < ' ' || p[i] == 0x7f)
            return false;
        if (strchr(",+=\\", p[i]) && !put(text, len, '\\'))
            return false;
        if (!put(text, len, (char)p[i]))
            return false;
    }
    return value.len > 0;
}

bool peer_name_add(struct peer_name *name, const char *attribute, struct bytes value)
{
    size_t len = strlen(name->subject);

    if (len && !put_all(name->subject, &len, ", "))
        return false;
    return put_all(name->subject, &len, attribute) && put(name->subject, &len, '=') &&
           put_value(name->subject, &len, value);
}

static bool is_cn(const mbedtls_x509_name *part)
{
    return MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &part->oid) == 0;
}

static void cn_read(struct peer_name *name, const mbedtls_x509_name *part)
{
    if (part->val.len >= PEER_NAME)
        return;
    memcpy(name->cn, part->val.p, part->val.len);
    name->cn[part->val.len] = '\0';
}

static bool subject_read(struct peer_name *name, const mbedtls_x509_name *part)
{
    int n_cns = 0;

    for (; part; part = part->next) {
        const char *attribute;

        if (!part->oid.p)
            continue; /* an empty subject */
        if (mbedtls_oid_get_attr_short_name(&part->oid, &attribute) ||
            !peer_name_add(name, attribute, bytes_of(part->val.p, part->val.len)))
            return false;
        if (is_cn(part) && n_cns++ == 0)
            cn_read(name, part);
    }
    if (n_cns != 1)
        name->cn[0] = '\0';
    return true;
}

__attribute__((visibility("default"))) uint32_t mbedtls_ssl_get_verify_result(
    const mbedtls_ssl_context *ssl)
{
    uint32_t (*real)(const mbedtls_ssl_context *) = dlsym(RTLD_NEXT, __func__);
    const mbedtls_x509_crt *cert = mbedtls_ssl_get_peer_cert(ssl);
    uint32_t result = real ? real(ssl) : UINT32_MAX;

    peer_name_forget();
    noted.verified = cert && result == 0;
    if (noted.verified && !subject_read(&noted, &cert->subject))
        noted.subject[0] = noted.cn[0] = '\0';
    return result;
}

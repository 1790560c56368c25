#include "daemon/transports/peer_name.h"

#include <openssl/objects.h>

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

static bool add(struct peer_name *name, const char *attribute, struct bytes value)
{
    size_t len = strlen(name->subject);

    if (len && !put_all(name->subject, &len, ", "))
        return false;
    return put_all(name->subject, &len, attribute) && put(name->subject, &len, '=') &&
           put_value(name->subject, &len, value);
}

/* Those that RFC 5280 has for new certificates. The bytes of all three are those of UTF-8. */
static bool is_text(const ASN1_STRING *value)
{
    int type = ASN1_STRING_type(value);

    return type == V_ASN1_UTF8STRING || type == V_ASN1_PRINTABLESTRING || type == V_ASN1_IA5STRING;
}

static void cn_read(struct peer_name *name, struct bytes value)
{
    if (value.len >= PEER_NAME)
        return;
    memcpy(name->cn, value.data, value.len);
    name->cn[value.len] = '\0';
}

static bool subject_read(struct peer_name *name, const X509_NAME *subject)
{
    int n_cns = 0;

    for (int i = 0; i < X509_NAME_entry_count(subject); i++) {
        const X509_NAME_ENTRY *part = X509_NAME_get_entry(subject, i);
        const ASN1_STRING *text = X509_NAME_ENTRY_get_data(part);
        int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(part));
        struct bytes value;

        if (nid == NID_undef || !is_text(text))
            return false;
        value = bytes_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
        if (!add(name, OBJ_nid2sn(nid), value))
            return false;
        if (nid == NID_commonName && n_cns++ == 0)
            cn_read(name, value);
    }
    if (n_cns != 1)
        name->cn[0] = '\0';
    return true;
}

void peer_name_read(const X509_NAME *subject, struct peer_name *ret)
{
    ret->subject[0] = ret->cn[0] = '\0';
    if (!subject_read(ret, subject))
        ret->subject[0] = ret->cn[0] = '\0';
}

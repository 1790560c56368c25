#include "daemon/log_journal.h"

#include "daemon/log.h"

#ifdef HAVE_LIBSYSTEMD

#include <ctype.h>
#include <stdio.h>
#include <sys/uio.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#define MAX_VALUE 512

static void journal_field(char out[MAX_VALUE], const struct log_field *field)
{
    size_t n =
        (size_t)snprintf(out, MAX_VALUE, "AWD_%s=%s", field->key, field->value ? field->value : "");

    (void)n;
    for (char *p = out + 4; *p && *p != '='; p++)
        *p = isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p) : '_';
}

static bool journal_send(int level, const char *message, const struct log_field *fields,
                         size_t n_fields)
{
    char text[sizeof("MESSAGE=") + LOG_MAX_LINE], priority[16], values[LOG_MAX_FIELDS][MAX_VALUE];
    struct iovec iov[LOG_MAX_FIELDS + 3];
    int n = 0;

    snprintf(text, sizeof(text), "MESSAGE=%s", message);
    snprintf(priority, sizeof(priority), "PRIORITY=%d", level);
    iov[n++] = (struct iovec){text, strlen(text)};
    iov[n++] = (struct iovec){priority, strlen(priority)};
    iov[n++] = (struct iovec){(char *)"SYSLOG_IDENTIFIER=awd", strlen("SYSLOG_IDENTIFIER=awd")};
    for (size_t i = 0; i < n_fields; i++) {
        journal_field(values[i], &fields[i]);
        iov[n++] = (struct iovec){values[i], strlen(values[i])};
    }
    return sd_journal_sendv(iov, n) == 0;
}

void log_to_journal(void)
{
    log_set_journal(journal_send);
}

#else

void log_to_journal(void)
{
}

#endif

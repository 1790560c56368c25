#include "daemon/log.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#ifdef HAVE_LIBSYSTEMD
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#endif

#define MAX_LINE   2048 /* longer ones are cut */
#define MAX_FIELDS 8    /* more are left out */
#define MAX_VALUE  512

enum target { TERMINAL, PREFIXED, JOURNAL };

static _Atomic int log_level = LOG_INFO;
static enum target target;
static pthread_once_t target_once = PTHREAD_ONCE_INIT;

static const struct {
    const char *name;
    int level;
} levels[] = {
    {"err", LOG_ERR},   {"warning", LOG_WARNING}, {"notice", LOG_NOTICE},
    {"info", LOG_INFO}, {"debug", LOG_DEBUG},
};

void log_set_level(int level)
{
    atomic_store(&log_level, level);
}

bool log_level_parse(const char *name, int *ret_level)
{
    for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
        if (!strcmp(name, levels[i].name)) {
            *ret_level = levels[i].level;
            return true;
        }
    return false;
}

/* ---- A line that is being made ------------------------------------------------------------- */

struct line {
    char text[MAX_LINE];
    size_t len;
};

static void line_char(struct line *line, char c)
{
    /* Always room for the line's end. */
    if (line->len < sizeof(line->text) - 1)
        line->text[line->len++] = c;
}

static void line_text(struct line *line, const char *s)
{
    while (*s)
        line_char(line, *s++);
}

/* What could end a line, move the cursor or close a quote comes out as an escape. */
static void line_escaped(struct line *line, const char *s, bool quoted)
{
    static const char hex[] = "0123456789abcdef";

    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (c < 0x20 || c == 0x7f) {
            line_text(line, "\\x");
            line_char(line, hex[c >> 4]);
            line_char(line, hex[c & 15]);
        } else {
            if (quoted && (c == '"' || c == '\\'))
                line_char(line, '\\');
            line_char(line, (char)c);
        }
    }
}

static void line_field(struct line *line, const struct log_field *field)
{
    const char *value = field->value ? field->value : "";
    bool quote = !*value || strpbrk(value, " \t\"\\=") != NULL;

    line_char(line, ' ');
    line_text(line, field->key);
    line_char(line, '=');
    if (quote)
        line_char(line, '"');
    line_escaped(line, value, quote);
    if (quote)
        line_char(line, '"');
}

/* ---- Where it goes ------------------------------------------------------------------------- */

/* systemd names the stream that it gave us: stderr may have been redirected since. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long dev, ino;
    struct stat st;

    return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

static void find_target(void)
{
    if (isatty(STDERR_FILENO))
        target = TERMINAL;
    else
        target = PREFIXED;
#ifdef HAVE_LIBSYSTEMD
    if (stderr_is_journal())
        target = JOURNAL;
#else
    (void)stderr_is_journal; /* <priority> prefixes are understood there, too */
#endif
}

static void write_line(int level, const char *message, const struct log_field *fields,
                       size_t n_fields)
{
    struct line line = {.len = 0};
    char head[32];
    time_t now = time(NULL);
    struct tm tm;

    if (target == TERMINAL && localtime_r(&now, &tm))
        strftime(head, sizeof(head), "%H:%M:%S ", &tm);
    else
        snprintf(head, sizeof(head), "<%d>", level);
    line_text(&line, head);
    line_escaped(&line, message, false);
    for (size_t i = 0; i < n_fields && i < MAX_FIELDS; i++)
        line_field(&line, &fields[i]);
    line.text[line.len++] = '\n';
    /* One write: lines of several threads and processes stay whole. There is no one to tell. */
    if (write(STDERR_FILENO, line.text, line.len) < 0)
        return;
}

#ifdef HAVE_LIBSYSTEMD
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
    char text[sizeof("MESSAGE=") + MAX_LINE], priority[16], values[MAX_FIELDS][MAX_VALUE];
    struct iovec iov[MAX_FIELDS + 3];
    int n = 0;

    snprintf(text, sizeof(text), "MESSAGE=%s", message);
    snprintf(priority, sizeof(priority), "PRIORITY=%d", level);
    iov[n++] = (struct iovec){text, strlen(text)};
    iov[n++] = (struct iovec){priority, strlen(priority)};
    iov[n++] = (struct iovec){(char *)"SYSLOG_IDENTIFIER=awd", strlen("SYSLOG_IDENTIFIER=awd")};
    for (size_t i = 0; i < n_fields && i < MAX_FIELDS; i++) {
        journal_field(values[i], &fields[i]);
        iov[n++] = (struct iovec){values[i], strlen(values[i])};
    }
    return sd_journal_sendv(iov, n) == 0;
}
#endif

void log_event(int level, const struct log_field *fields, size_t n_fields, const char *fmt, ...)
{
    char message[MAX_LINE];
    int saved = errno;
    va_list ap;

    if (level > atomic_load(&log_level))
        return;
    pthread_once(&target_once, find_target);
    errno = saved; /* for %m */
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
#ifdef HAVE_LIBSYSTEMD
    if (target == JOURNAL && journal_send(level, message, fields, n_fields)) {
        errno = saved;
        return;
    }
#endif
    write_line(level, message, fields, n_fields);
    errno = saved;
}

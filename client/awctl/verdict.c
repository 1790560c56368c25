#include <signal.h>
#include <stdio.h>

#include "client/awctl/awctl.h"

/* What the message says beyond the class, and the name of the signal, which it begins with. */
static const char *reason_of(const struct aw_status *s)
{
    const char *behind = strstr(s->message, "; ");

    if (s->error_class != AW_CLASS_SIGNAL)
        return s->message;
    return behind ? behind + 2 : "";
}

/* How a job failed, in words: the class, or code or signal where they say more, and the reason. */
static void failure_text(const struct aw_status *s, char *buf, size_t size)
{
    const char *name = s->signal ? sigabbrev_np(s->signal) : NULL, *reason = reason_of(s);
    char what[64];

    if (s->error_class == AW_CLASS_EXIT)
        snprintf(what, sizeof(what), "exit code %d", s->exit_code);
    else if (s->error_class == AW_CLASS_SIGNAL && name)
        snprintf(what, sizeof(what), "killed by SIG%s", name);
    else if (s->error_class == AW_CLASS_SIGNAL)
        snprintf(what, sizeof(what), "killed by signal %d", s->signal);
    else
        snprintf(what, sizeof(what), "%s", aw_class_name(s->error_class));
    snprintf(buf, size, "failed: %s%s%s%s", what, *reason ? " (" : "", reason, *reason ? ")" : "");
}

bool verdict_missing(const struct aw_status *s)
{
    return s->err && !(s->err == AW_ERR_EXPIRED_ID && aw_state_is_final(s->state));
}

bool verdict_known(const struct aw_status *s)
{
    return s->err || aw_state_is_final(s->state);
}

const char *verdict_text(const struct aw_status *s, char buf[VERDICT_TEXT])
{
    if (verdict_missing(s))
        snprintf(buf, VERDICT_TEXT, "%s: %s", aw_err_name(s->err),
                 *s->message ? s->message : aw_err_text(s->err));
    else if (s->state == AW_FAILED)
        failure_text(s, buf, VERDICT_TEXT);
    else
        snprintf(buf, VERDICT_TEXT, "%s", aw_state_name(s->state));
    return buf;
}

static int own_code(const struct aw_status *s)
{
    if (s->signal)
        return 128 + s->signal;
    return s->exit_code > 0 ? s->exit_code : EXIT_JOB_FAILED;
}

int verdict_code(const struct aw_status *s, bool own)
{
    if (verdict_missing(s))
        return aw_err_exit_code(s->err);
    if (s->state == AW_SUCCEEDED)
        return 0;
    return own ? own_code(s) : EXIT_JOB_FAILED;
}

int verdict_add(int code, const struct aw_status *s, bool own)
{
    int c = verdict_known(s) ? verdict_code(s, own) : 0;

    if (own)
        return code ? code : c;
    return c && (!code || verdict_missing(s)) ? c : code;
}

int verdict_all(const struct aw_statuses *list, bool own)
{
    size_t n = aw_statuses_count(list);
    int code = 0;

    for (size_t i = 0; i < n; i++)
        code = verdict_add(code, aw_statuses_at(list, i), own);
    return code;
}

void verdict_complain(const struct aw_statuses *list)
{
    size_t n = aw_statuses_count(list);
    char text[VERDICT_TEXT];

    for (size_t i = 0; i < n; i++) {
        const struct aw_status *s = aw_statuses_at(list, i);

        if (verdict_known(s) && verdict_code(s, false))
            complain("%s %s", s->id, verdict_text(s, text));
    }
}

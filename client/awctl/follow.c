#include "client/awctl/awctl.h"

enum aw_err cursor_next(struct awctl *ctl, const char *id, enum aw_stream stream,
                        struct log_cursor *cursor, struct aw_chunk **ret, struct aw_error *err)
{
    enum aw_err e = aw_logs_attempt(ctl->client, id, cursor->attempt, stream,
                                    (int64_t)cursor->offset, AW_FOREVER, ret, err);

    if (e)
        return e;
    if (cursor->attempt == 0)
        cursor->attempt = (*ret)->attempt ? (*ret)->attempt : 1;
    cursor->offset = (*ret)->offset + (*ret)->len;
    if ((*ret)->eof) {
        cursor->attempt++;
        cursor->offset = 0;
    }
    return AW_OK;
}

bool cursor_at_end(const struct aw_chunk *chunk)
{
    return chunk->eof && aw_state_is_final(chunk->state) && chunk->attempt >= chunk->last_attempt;
}

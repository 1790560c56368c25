/*
 * engine_rig_private.h - shared by engine_rig*.c: how an answer is made, filled and kept.
 */
#ifndef AW_ENGINE_RIG_PRIVATE_H
#define AW_ENGINE_RIG_PRIVATE_H

#include "tests/unit/engine_rig.h"

/* A copy that lives as long as the rig; data NULL: zeros. */
void *rig_keep(const void *data, size_t size);
struct bytes rig_keep_bytes(struct bytes b);
struct record rig_keep_record(struct record record);

/* One more note of what the engine said; valid until the next. */
struct note *rig_note(enum note_kind kind, uint64_t number);

struct answer *rig_answer_new(void);
/* What every callback begins with: notes that it came. */
struct answer *rig_replied(void *arg, const struct aw_error *err, size_t n);
/* Turns the loop until the answer is there. */
struct answer *rig_awaited(struct answer *r);

/* The set_changed event. */
void rig_on_set_changed(void *arg, const struct set_info *set, uint64_t place, uint64_t job,
                        enum aw_state state);

#endif

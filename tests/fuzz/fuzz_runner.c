/*
 * What awd and aw-runner say to each other.
 *
 * The input is a packet. A message that is accepted has one encoding only: written again it must
 * be the same bytes. START goes both ways in which it can be written.
 */
#include "tests/fuzz/fuzz.h"

#include "proto/runner_wire.h"

static struct strv strings_list(struct runner_strings block)
{
    struct strv list = {calloc(block.n + 1, sizeof(*list.v)), block.n};
    const char *s = block.data;

    fuzz_check(list.v != NULL, "no memory");
    for (size_t i = 0; i < block.n; i++, s = runner_strings_next(s))
        list.v[i] = bytes_str(s);
    fuzz_check(s == block.data + block.len, "%zu strings are not the whole block", block.n);
    return list;
}

static void start_again(const struct runner_msg *msg, struct bytes bytes)
{
    struct strv argv = strings_list(msg->start.argv), env = strings_list(msg->start.env);
    struct aw_error err = {.text = ""};
    void *again;
    size_t len;

    fuzz_check(runner_start_new(&msg->start, argv, env, &again, &len, &err) == AW_OK, "%s",
               err.text);
    fuzz_check(bytes_eq(bytes, bytes_of(again, len)), "START: other bytes");
    free(again);
    free(argv.v);
    free(env.v);
}

static void message_again(const struct runner_msg *msg, struct bytes bytes)
{
    static struct runner_packet packet;

    packet.len = 0;
    fuzz_check(runner_packet_add(&packet, msg), "%s cannot be written", runner_msg_name(msg->type));
    fuzz_check(bytes_eq(bytes, bytes_of(packet.data, packet.len)), "%s: other bytes",
               runner_msg_name(msg->type));
    fuzz_check(runner_msg_name(msg->type)[0] != '?', "type %d", (int)msg->type);
    if (msg->type == RUNNER_START)
        start_again(msg, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes rest = bytes_of(data, MIN(size, (size_t)RUNNER_MAX_PACKET));
    struct aw_error err = {.text = ""};
    struct runner_msg msg;

    while (rest.len) {
        struct bytes before = rest;

        if (runner_msg_get(&rest, &msg, &err)) {
            fuzz_check(err.text[0], "no reason was given");
            return 0;
        }
        fuzz_check(rest.len < before.len, "nothing was taken");
        message_again(&msg, bytes_of(before.data, before.len - rest.len));
    }
    return 0;
}

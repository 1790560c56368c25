/*
 * wire.h - clients of other servers, as lean as that of awd (load.h): plain sockets, requests
 * written in batches, answers taken as they come. One thread. What goes wrong ends the program.
 */
#ifndef AW_BENCH_WIRE_H
#define AW_BENCH_WIRE_H

#include <sys/socket.h>

#include "tests/bench/bench.h"

struct wire_addr {
    struct sockaddr_storage addr;
    socklen_t len;
};

struct wire_addr wire_unix(const char *path);
/* A port of loopback that nobody has at the moment. */
struct wire_addr wire_tcp_free(int *ret_port);

/* ---- One after the other -------------------------------------------------------------------- */

struct wire {
    int fd;
    uint8_t *in; /* what has arrived and is not yet taken */
    size_t len, cap;
};

bool wire_connects(const struct wire_addr *addr);
struct wire wire_open(const struct wire_addr *addr);
void wire_close(struct wire *w);
/* All of it. */
void wire_write(struct wire *w, const void *data, size_t len);
/* Waits for more. */
void wire_fill(struct wire *w);
/* The first n octets have been read. */
void wire_taken(struct wire *w, size_t n);

/*
 * How long the first complete answer in these octets is; 0: it is not complete. An answer that
 * says anything but that it was done ends the program.
 */
typedef size_t (*wire_take_fn)(const uint8_t *in, size_t len);

/* Writes a request and waits for its answer. */
void wire_ask(struct wire *w, struct bytes request, wire_take_fn take);

/* ---- Many at once --------------------------------------------------------------------------- */

struct wire_work {
    const struct wire_addr *addr;
    struct bytes request;
    wire_take_fn take;
    size_t n_conns;
    size_t outstanding; /* on each connection; few enough for a socket's buffers to hold */
    size_t n;           /* in all */
};

/* The same request again and again: how many a second. */
double wire_rate(const struct wire_work *work);
/* One after the other on one connection, n times: microseconds, the median. */
double wire_p50(const struct wire_work *work);

#endif

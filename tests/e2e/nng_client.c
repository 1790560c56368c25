/*
 * A client that is nothing but nng's REQ: sends that many hellos, one by one, and counts the
 * answers. nng_client URL N
 *
 * When its daemon goes, nng 1.5.2 now and then stops dialling for good: the socket then never sends
 * again, and cannot be closed. It leaves with status 75, and whoever called it tries again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>

/* {op: "hello"} */
static const char hello[] = "\x81\xa2op\xa5hello";

#define STUCK 75

static void check(const char *what, int rv)
{
    if (rv) {
        fprintf(stderr, "%s: %s\n", what, nng_strerror(rv));
        exit(1);
    }
}

/* An answer is a map that says err: 0. */
static int answered(nng_socket sock)
{
    char *reply;
    size_t len;
    int rv = nng_recv(sock, &reply, &len, NNG_FLAG_ALLOC), ok;

    if (rv == NNG_ECONNRESET)
        return 0; /* the daemon went away: to be sent again */
    check("recv", rv);
    ok = len > 5 && (unsigned char)reply[0] >> 4 == 8 &&
         !memcmp(reply + 1,
                 "\xa3"
                 "err",
                 5);
    nng_free(reply, len);
    if (!ok) {
        fprintf(stderr, "an answer that is none\n");
        exit(1);
    }
    return 1;
}

int main(int argc, char **argv)
{
    int n = argc == 3 ? (int)strtol(argv[2], NULL, 10) : 0, done = 0;
    nng_socket sock;

    check("open", nng_req0_open(&sock));
    check("resend time", nng_socket_set_ms(sock, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE));
    check("timeout", nng_socket_set_ms(sock, NNG_OPT_RECVTIMEO, 60000));
    check("timeout", nng_socket_set_ms(sock, NNG_OPT_SENDTIMEO, 10000));
    check("dial", nng_dial(sock, argv[1], NULL, NNG_FLAG_NONBLOCK));
    while (done < n) {
        int rv = nng_send(sock, (void *)(uintptr_t)hello, sizeof(hello) - 1, 0);

        if (rv == NNG_ETIMEDOUT) {
            fprintf(stderr, "nng does not dial any more\n");
            _exit(STUCK);
        }
        check("send", rv);
        done += answered(sock);
    }
    printf("%d answers\n", done);
    nng_close(sock);
    nng_fini();
    return 0;
}

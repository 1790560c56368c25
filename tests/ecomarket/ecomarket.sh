# ecomarket.sh - for what is in this folder: lib.sh, the server, the dashboard. Source it with
#
#     . "${0%/*}/ecomarket.sh"
#
# shellcheck shell=bash

. "${0%/*}/../e2e/lib.sh"
ECOMARKET=${AWD_BUILDDIR:?run this by make check, or set AWD_BUILDDIR}/tests/ecomarket

# server_start [OPTION...]: sets $URL, and $CLOSED where nobody listens.
server_start()
{
    "$ECOMARKET/server" "$@" "$TMP/addresses" </dev/null >"$TMP/server.log" 2>&1 &
    eventually 30 test -s "$TMP/addresses" || {
        cat "$TMP/server.log" >&2
        return 1
    }
    { read -r URL && read -r CLOSED; } <"$TMP/addresses"
    export URL CLOSED
}

dashboard()
{
    "$ECOMARKET/dashboard" "$@" "$URL" "$CLOSED"
}

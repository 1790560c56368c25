"""A web server for http.test: `http_server.py DIR` serves until it is killed.

Writes its ports to DIR/ports: plain, TLS with a certificate for "localhost" signed by DIR/ca.pem,
TLS with one that nobody signed. Every request's line, headers and body go to DIR/requests.
"""

import asyncio
import os
import ssl
import sys

DIR = sys.argv[1]
log = open(os.path.join(DIR, "requests"), "a", buffering=1)


async def read_request(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    length = 0
    for line in head.split("\r\n"):
        if line.lower().startswith("content-length:"):
            length = int(line.split(":")[1])
    return head, (await reader.readexactly(length)).decode("latin-1")


asked = set()


def answer(path):
    """Seconds to wait, status line, further headers, body."""
    words = path.strip("/").split("/")
    again = path in asked
    asked.add(path)
    if words[0] == "slow":
        return float(words[1]), "200 OK", "", b"slow\n"
    if words[0] == "slow-once":
        return 0 if again else float(words[1]), "200 OK", "", b"slow\n"
    if words[0] == "status":
        return 0, words[1] + " As Asked", "", b"status " + words[1].encode() + b"\n"
    if words[0] == "big":
        return 0, "200 OK", "", b"0123456789abcde\n" * (int(words[1]) // 16)
    if words[0] == "to":
        return 0, "302 Found", "Location: /status/200\r\n", b""
    return 0, "200 OK", "", b"hello\n"


async def serve(reader, writer):
    try:
        while True:
            head, body = await read_request(reader)
            log.write(head.replace("\r\n", "\n") + body + "\n--\n")
            wait, status, headers, data = answer(head.split()[1])
            await asyncio.sleep(wait)
            writer.write(
                f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(data)}\r\n\r\n".encode()
                + data
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def tls(cert):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(DIR, cert))
    return context


async def main():
    ports = []
    for context in None, tls("good.pem"), tls("self.pem"):
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context, backlog=4096)
        ports.append(server.sockets[0].getsockname()[1])
    with open(os.path.join(DIR, "ports.new"), "w") as f:
        print(*ports, file=f)
    os.rename(os.path.join(DIR, "ports.new"), os.path.join(DIR, "ports"))
    await asyncio.Event().wait()


asyncio.run(main())

"""Clients that awd must survive: hostile.py SOCKET WHAT. Says nothing and exits with 0 when the
daemon did what it should with the connection."""
import os, random, socket, struct, sys, time

HELLO = b'\0SP\0\0\x30\0\0'
PING = b'\x81\xa2op\xa5hello'
path = sys.argv[1]


def connect():
    s = socket.socket(socket.AF_UNIX)
    for _ in range(1000):
        try:
            s.connect(path)
            return s
        except BlockingIOError:  # its backlog is full
            time.sleep(0.01)
        except ConnectionRefusedError:
            sys.exit('nobody listens any more')
    sys.exit('it does not accept any more')


def shaken():
    s = connect()
    s.sendall(HELLO)
    assert s.recv(8, socket.MSG_WAITALL) == b'\0SP\0\0\x31\0\0'
    return s


def frame(body, request=0x80000001, kind=1):
    return struct.pack('>BQI', kind, len(body) + 4, request) + body


def answer(s):
    head = s.recv(13, socket.MSG_WAITALL)
    if len(head) < 13:
        return None
    return s.recv(struct.unpack('>Q', head[1:9])[0] - 4, socket.MSG_WAITALL)


def error_of(body):
    """The number behind err, which a small positive integer of msgpack is."""
    return body[body.index(b'\xa3err') + 4]


def hangs_up(s):
    s.settimeout(30)
    try:
        while s.recv(65536):
            pass
    except ConnectionResetError:
        pass


def still_serves():
    s = shaken()
    s.sendall(frame(PING))
    assert error_of(answer(s)) == 0


def connect_and_close():
    for i in range(1000):
        s = connect()
        if i % 3 == 1:
            s.sendall(HELLO)
        elif i % 3 == 2:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        s.close()


def half_a_handshake():
    held = [connect() for _ in range(100)]
    for i, s in enumerate(held):
        s.sendall(HELLO[:i % 8])
    still_serves()
    for s in held:
        s.close()


def garbage():
    random.seed(1)
    for i in range(300):
        s = connect()
        try:
            s.sendall(random.randbytes(1 + i * 7))
        except (BrokenPipeError, ConnectionResetError):
            pass
        s.close()
    s = connect()
    s.sendall(b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    hangs_up(s)


def wrong_protocol():
    for hello in (b'\0SP\0\0\x10\0\0', b'\0SP\1\0\x30\0\0', b'\0SX\0\0\x30\0\0'):
        s = connect()
        s.sendall(hello)
        hangs_up(s)


def oversize():
    for length in (8388608 + 5, 1 << 32, 1 << 62, (1 << 64) - 1):
        s = shaken()
        s.sendall(struct.pack('>BQI', 1, length, 0x80000001))
        hangs_up(s)
    s = shaken()
    body = b'\x82\xa2op\xa5hello\xa1x\xc6'
    left = 8388608 - len(body) - 4
    body += struct.pack('>I', left) + bytes(left)
    s.sendall(frame(body))
    assert error_of(answer(s)) == 0  # the largest that is allowed, with a field to be ignored


def malformed():
    s = shaken()
    deep = b'\x82\xa2op\xa5hello\xa1x' + b'\x91' * 20 + b'\xc0'
    bodies = {
        b'': (1,), b'\xc0': (1,), b'\x81': (1,), b'\xdf\xff\xff\xff\xff': (1, 4),
        b'\xdd\xff\xff\xff\xff': (1, 4), PING + b'\xc0': (1,), PING[:-1]: (1,), b'\x80': (5,), deep: (1, 4),
        b'\x81\xa2op\xa4fly!': (2,), b'\x81\xa2op\x05': (5,), b'\x82\xa2op\xa5hello\xa2op\xa5hello': (1, 5),
        b'\x82\xa2op\xa5hello\xa1v\x63': (3,), b'\x82\xa2op\xa6status\xa3ids\x90': (5,),
        b'\x82\xa2op\xa6submit\xa4jobs\x91\x80': (5,), b'\x81\xa2op\xa6submit': (5,), b'\xc1': (1,),
    }
    for i, (body, wanted) in enumerate(bodies.items()):
        s.sendall(frame(body, 0x80000000 + i))
        reply = answer(s)
        assert reply is not None, f'no answer to {body!r}'
        assert error_of(reply) in wanted, f'{body!r}: {reply!r}'


def wrong_frames():
    for bytes_ in (frame(PING, request=5), frame(PING, kind=7), struct.pack('>BQ', 1, 0), struct.pack('>BQ', 1, 3) + b'abc'):
        s = shaken()
        s.sendall(bytes_)
        s.close()
    s = shaken()
    s.sendall(frame(PING)[:10])
    still_serves()
    s.sendall(frame(PING)[10:])
    assert error_of(answer(s)) == 0


def does_not_read():
    """Asks for far more than the buffers hold and reads none of it."""
    s = shaken()
    s.setblocking(False)
    sent = 0
    end = time.monotonic() + 5
    while sent < 30000 and time.monotonic() < end:
        try:
            s.send(frame(b'\x81\xa2op\xa5stats', 0x80000000 + sent))
            sent += 1
        except BlockingIOError:
            still_serves()
            time.sleep(0.05)
    for _ in range(20):
        still_serves()
    s.close()


def byte_by_byte():
    s = connect()
    for b in HELLO + frame(PING):
        s.sendall(bytes([b]))
    assert s.recv(8, socket.MSG_WAITALL) == b'\0SP\0\0\x31\0\0'
    assert error_of(answer(s)) == 0


def goes_while_waiting():
    """Parks waits and goes away."""
    for _ in range(50):
        s = shaken()
        for i in range(20):
            s.sendall(frame(b'\x82\xa2op\xa4wait\xa3ids\x91' + bytes([0xa0 + len(sys.argv[3])]) + sys.argv[3].encode(), 0x80000000 + i))
        s.close()


def waits_for_too_much():
    """Waits of 10,000 futures each: about a megabyte of the 16 that they may have together."""
    s = shaken()
    ids = b'\xdd' + struct.pack('>I', 10000) + (bytes([0xa0 + len(sys.argv[3])]) + sys.argv[3].encode()) * 10000
    for i in range(40):
        s.sendall(frame(b'\x82\xa2op\xa4wait\xa3ids' + ids, 0x80000000 + i))
    s.sendall(b'\x01' + struct.pack('>Q', 5) + struct.pack('>I', 0x80000000 + 40) + b'\xc0')
    refused = []
    while (error := error_of(answer(s))) != 1:  # the last one is malformed
        refused.append(error)
    assert 20 <= len(refused) < 40 and set(refused) == {33}, refused
    s.close()


def half_of_much():
    """Three times most of 8 MB is more than the 16 that one user's connections may hold."""
    held = [shaken() for _ in range(3)]
    for s in held:
        s.sendall(struct.pack('>BQI', 1, 8388608 + 4, 0x80000001))
        try:
            s.sendall(bytes(8388607))
        except (BrokenPipeError, ConnectionResetError):
            pass
    gone = 0
    for s in held:
        s.settimeout(1)
        try:
            gone += s.recv(1) == b''
        except ConnectionResetError:
            gone += 1
        except TimeoutError:
            pass
    assert gone in (1, 2), gone


globals()[sys.argv[2]]()
still_serves()

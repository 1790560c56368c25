"""A client of awd, written from proto/PROTOCOL.md and nothing else. Submits a command, waits for
it, prints its output, exits as it did: client.py SOCKET COMMAND [ARG...]"""
import io, os, socket, struct, sys


def pack(v):
    if isinstance(v, bool):
        return b'\xc3' if v else b'\xc2'
    if isinstance(v, int):
        return b'\xd3' + struct.pack('>q', v)
    if isinstance(v, (str, bytes)):
        raw = os.fsencode(v)
        return (b'\xdb' if isinstance(v, str) else b'\xc6') + struct.pack('>I', len(raw)) + raw
    if isinstance(v, list):
        return b'\xdd' + struct.pack('>I', len(v)) + b''.join(map(pack, v))
    return b'\xdf' + struct.pack('>I', len(v)) + b''.join(pack(k) + pack(w) for k, w in v.items())


def unpack(f):
    def number(fmt):
        return struct.unpack('>' + fmt, f.read(struct.calcsize(fmt)))[0]

    b = f.read(1)[0]
    if b < 0x80 or b >= 0xe0:
        return b if b < 0x80 else b - 256
    if b in (0xc0, 0xc2, 0xc3):
        return {0xc0: None, 0xc2: False, 0xc3: True}[b]
    if 0xca <= b <= 0xd3:
        return number('fdBHIQbhiq'[b - 0xca])
    if b in (0xc4, 0xc5, 0xc6):
        return f.read(number('BHI'[b - 0xc4]))
    if 0xa0 <= b < 0xc0 or b in (0xd9, 0xda, 0xdb):
        return os.fsdecode(f.read(b & 31 if b < 0xc0 else number('BHI'[b - 0xd9])))
    if 0x90 <= b < 0xa0 or b in (0xdc, 0xdd):
        return [unpack(f) for _ in range(b & 15 if b < 0xa0 else number('HI'[b - 0xdc]))]
    return {unpack(f): unpack(f) for _ in range(b & 15 if b < 0x90 else number('HI'[b - 0xde]))}


class Client:
    def __init__(self, path):
        self.sock, self.id = socket.socket(socket.AF_UNIX), 0x80000000
        self.sock.connect(path)
        self.sock.sendall(b'\0SP\0\0\x30\0\0')
        assert self.read(8) == b'\0SP\0\0\x31\0\0'

    def read(self, n):
        data = self.sock.recv(n, socket.MSG_WAITALL)
        assert len(data) == n, 'the connection was lost'
        return data

    def send(self, op, **fields):
        self.id += 1
        body = struct.pack('>I', self.id) + pack({'op': op, **fields})
        self.sock.sendall(b'\x01' + struct.pack('>Q', len(body)) + body)

    def receive(self):
        answer = self.read(struct.unpack('>Q', self.read(9)[1:])[0])
        assert answer[:4] == struct.pack('>I', self.id), 'an answer to another request'
        return unpack(io.BytesIO(answer[4:]))

    def call(self, op, **fields):
        self.send(op, **fields)
        reply = self.receive()
        assert reply['err'] == 0, reply
        return reply


if __name__ == '__main__':
    awd = Client(sys.argv[1])
    awd.call('hello', client='example in Python')
    job = {'argv': sys.argv[2:], 'cwd': os.getcwd(), 'env': [f'{k}={v}' for k, v in os.environ.items()]}
    [future] = awd.call('submit', request=os.urandom(16), jobs=[job])['ids']
    while not (reply := awd.call('wait', ids=[future])).get('done'):
        pass
    [ended] = reply['jobs']
    print(future, ended['state'], file=sys.stderr)
    part = {'data': b''}
    offset = 0
    while not part.get('eof'):
        part = awd.call('result', id=future, offset=offset)
        offset += sys.stdout.buffer.write(part.get('data', b''))
    sys.exit(max(ended.get('exit_code', -1), 0) or ended['state'] != 'succeeded')

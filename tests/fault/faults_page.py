"""The page by which a program that runs with faults.so is told what is to fail, and tells what did.
The layout is that of faults.h."""
import errno
import mmap
import struct

KINDS = ('ALLOC', 'OPEN', 'WRITE', 'READ', 'SYNC', 'SOCKET', 'SEND', 'RECEIVE', 'FD', 'SPAWN', 'DIR', 'MAP')
# With what each of them fails.
ERRORS = {'ALLOC': ('ENOMEM',), 'OPEN': ('EMFILE', 'EACCES'), 'WRITE': ('ENOSPC', 'EIO'), 'READ': ('EIO',),
          'SYNC': ('EIO',), 'SOCKET': ('EMFILE', 'ENOMEM'), 'SEND': ('ENOBUFS', 'ECONNRESET'),
          'RECEIVE': ('ENOMEM', 'ECONNRESET'), 'FD': ('EMFILE', 'ENOMEM'), 'SPAWN': ('EAGAIN',),
          'DIR': ('EROFS', 'EIO'), 'MAP': ('ENOMEM',)}
N_CHAINS = 16384
AT = {'armed': ('I', 8), 'kind': ('I', 12), 'error': ('i', 16), 'record': ('I', 20), 'from': ('Q', 24),
      'to': ('Q', 32), 'chain': ('Q', 40), 'clock_us': ('q', 48), 'matched': ('Q', 56), 'failed': ('Q', 64)}
CALLS, WHERE, CHAINS, SIZE = 72, 200, 1224, 1224 + N_CHAINS * 16
ALWAYS = 2**64 - 1


class Page:
    def __init__(self, path, fresh=True):
        self.path = path
        if fresh:
            with open(path, 'wb') as f:
                f.write(struct.pack('<II', 0x464c5453, SIZE).ljust(SIZE, b'\0'))
        with open(path, 'r+b') as f:
            self.map = mmap.mmap(f.fileno(), SIZE)

    def close(self):
        self.map.close()

    def get(self, name):
        fmt, at = AT[name]
        return struct.unpack_from('<' + fmt, self.map, at)[0]

    def set(self, **values):
        for name, value in values.items():
            fmt, at = AT[name.rstrip('_')]
            struct.pack_into('<' + fmt, self.map, at, value)

    def arm(self, kind, error, first, last, chain=0):
        self.set(kind=KINDS.index(kind), error=getattr(errno, error), from_=first, to=last, chain=chain, armed=1)

    def where(self):
        return self.map[WHERE:WHERE + 1024].split(b'\0')[0].decode(errors='replace')

    def calls(self):
        return dict(zip(KINDS, struct.unpack_from('<12Q', self.map, CALLS)))

    def chains(self):
        """(kind, hash, count) of each chain of callers that was seen."""
        for i in range(N_CHAINS):
            chain, kind, count = struct.unpack_from('<QII', self.map, CHAINS + 16 * i)
            if chain:
                yield KINDS[kind], chain, count

"""For tests of what the daemon does: requests and replies as they are on the wire, by client.py.

A script comes on standard input and asks with ask() or, where a refusal is expected, refused().
What is parked is asked for by a Client of its own: send(), something else, receive()."""
import os
import sys
import time

from client import Client as Plain

TMP = os.environ['TMP']


class Client(Plain):
    def __init__(self):
        super().__init__(os.environ['AWD_SOCKET'])

    def refused(self, error, op, **fields):
        self.send(op, **fields)
        reply = self.receive()
        assert reply.get('error') == error, reply
        return reply['message']


_client = None


def ask(op, **fields):
    global _client
    _client = _client or Client()
    return _client.call(op, **fields)


def refused(error, op, **fields):
    return Client().refused(error, op, **fields)


def sh(command, **more):
    return {'argv': ['/bin/sh', '-c', command], **more}


def gate(name, end='exit 0', **more):
    """A job that runs until open_gate(name)."""
    return sh(f'until [ -e {TMP}/gate.{name} ]; do sleep 0.02; done; {end}', **more)


def open_gate(*names):
    for name in names:
        open(f'{TMP}/gate.{name}', 'w').close()


def noop(**more):
    return {'type': 'noop', **more}


def submit(*jobs, **more):
    return ask('submit', jobs=list(jobs), **more)['ids']


def status(*ids):
    """What has its default is not on the wire; a state is always wanted."""
    return [{'state': 'scheduled', **job} for job in ask('status', ids=list(ids))['jobs']]


def state(id):
    return status(id)[0]['state']


def wait(*ids):
    while not (reply := ask('wait', ids=list(ids)))['done']:
        pass
    return reply['jobs']


def until(what, seconds=60):
    """Asks again and again until what() is true, and returns that."""
    end = time.monotonic() + seconds
    while not (got := what()):
        assert time.monotonic() < end, 'in vain'
        time.sleep(0.02)
    return got


def same(got, want):
    assert got == want, f'{got!r} is not {want!r}'


def ids_of(reply):
    return [job['id'] for job in reply['jobs']]


if __name__ == '__main__':
    if user := int(os.environ.get('AS', 0)):
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    exec(compile(sys.stdin.read(), 'the check', 'exec'))

"""Does each operation while FEW jobs wait and while MANY do, and compares what it took, counted:
steps of the store's statements, what the scheduler looked at, transactions, bytes of the answer,
turns of the event loop. What needs more than a little more (numbers get longer, trees get deeper)
grows with the queue."""
import os
import re
import struct
import sys

from wire import Client, ask, noop, submit, wait

FEW, MANY = 100, 20000
ROUNDS = 2           # the least of them counts: now and then the daemon has work of its own
EXPLAIN_MAX = 10000  # jobs that explain walks past, and no more
HERE = os.path.dirname(os.path.abspath(__file__))


class Measuring(Client):
    def receive(self):
        size = struct.unpack('>Q', self.read(9)[1:])[0]
        self.size = getattr(self, 'size', 0) + size
        self.read(size)

    def call(self, op, **fields):
        self.send(op, **fields)
        self.receive()


def fill(n):
    while n > 0:
        n -= len(submit(*[noop(queue='deep', name='x' * 80)] * min(n, 1000)))


def counts():
    """What it takes to ask is not counted: it costs the store nothing, the loop one turn."""
    stats = ask('stats')
    return {
        'steps of the store': stats['store_steps'],
        'steps of the scheduler': stats['sched_steps'],
        'transactions': stats['commits'],
        'turns of the loop': stats['loop']['count'],
    }


def rest():
    """Until nothing moves any more but for what asks."""
    last = counts()
    for _ in range(1000):
        now = counts()
        if now['turns of the loop'] <= last['turns of the loop'] + 1 and all(
                now[k] == last[k] for k in now if k != 'turns of the loop'):
            return now
        last = now
    raise AssertionError('it does not come to rest')


def operations(phase, first, last):
    """By name: what is called. All that they need is there before anything is counted."""
    ended, failed, gone = submit(noop(), noop(fail=True), noop())
    wait(ended, failed, gone)
    [waits] = submit(noop(queue='deep'))
    [late] = submit(noop(delay_ms=3600000))
    for name in ('read', 'close', 'cancel', 'forget'):
        ask('set-add', set=f'{name}-{phase}', ids=[ended, waits])
    ask('queue-set', queue=f'gone-{phase}', create=True)
    paused = {'queue': 'deep', 'paused': 1}
    return {
        'hello': [('hello', {})],
        'submit': [('submit', {'jobs': [noop(queue='deep')]})],
        'submit 100': [('submit', {'jobs': [noop(queue='deep')] * 100})],
        'submit, keyed': [('submit', {'jobs': [noop(queue='deep', key=f'key-{phase}')]})] * 2,
        'submit, to run': [('submit', {'jobs': [noop()]})],
        'submit, dependent': [('submit', {'jobs': [noop(after=[waits])]})],
        'status': [('status', {'ids': [first, last, ended]})],
        'attempts': [('attempts', {'id': ended})],
        'explain, in front': [('explain', {'id': first})],
        'explain, at the end': [('explain', {'id': last})],
        'list': [('list', {})],
        'list, all queued': [('list', {'states': ['queued']})],
        'list, of a name': [('list', {'name': 'xxx', 'limit': 10})],
        'wait': [('wait', {'ids': [last], 'timeout_ms': 0})],
        'wait, ended': [('wait', {'ids': [ended]})],
        'result': [('result', {'id': ended})],
        'logs': [('logs', {'id': ended})],
        'change': [('change', {'ids': [last], 'set_priority': True, 'priority': p})
                   for p in (5, 0)],
        'change, now': [('change', {'ids': [late], 'now': True})],
        'cancel': [('cancel', {'ids': [first]})],
        'retry': [('retry', {'ids': [failed]})],
        'forget': [('forget', {'ids': [gone]})],
        'set-add': [('set-add', {'set': f'add-{phase}', 'ids': [ended, last]})],
        'set-list': [('set-list', {'name': 'read', 'limit': 1})],
        'set-show': [('set-show', {'set': f'read-{phase}'})],
        'set-members': [('set-members', {'set': f'read-{phase}'})],
        'set-read': [('set-read', {'set': f'read-{phase}', 'after': 0, 'timeout_ms': 0})],
        'set-close': [('set-close', {'set': f'close-{phase}'})],
        'set-cancel': [('set-cancel', {'set': f'cancel-{phase}'})],
        'set-forget': [('set-forget', {'set': f'forget-{phase}'})],
        'queue-set': [('queue-set', {'queue': 'deep', 'set_priority': True, 'priority': p})
                      for p in (1, 0)],
        'queue-set, one starts': [('queue-set', {**paused, 'paused': 0, 'rate': 1,
                                                 'rate_ms': 86400000}),
                                  ('queue-set', {**paused, 'rate': 0})],
        'queue-list': [('queue-list', {})],
        'queue-remove': [('queue-remove', {'queue': f'gone-{phase}'})],
        'users': [('users', {})],
        'stats': [('stats', {})],
        'slots': [('slots', {'slots': n}) for n in (3, 2)],
        'drain': [('drain', {'on': on}) for on in (True, False)],
    }


def round_of(phase, first, last):
    took = {}
    client = Measuring()
    for name, calls in operations(phase, first, last).items():
        before = rest()
        client.size = 0
        for op, fields in calls:
            client.call(op, **fields)
        after = rest()
        took[name] = {k: after[k] - before[k] for k in after}
        took[name]['bytes of the answer'] = client.size
    return took


def measure(phase, ids):
    # Two from the front: one is cancelled, and one starts.
    rounds = [round_of(f'{phase}-{i}', ids[2 * i], ids[-1 - i]) for i in range(ROUNDS)]
    return {name: {what: min(r[name][what] for r in rounds) for what in rounds[0][name]}
            for name in rounds[0]}


def allowed(name, what, few):
    """A little more than with few jobs: far less than a look at each of MANY. Of the store, that
    leaves room for the sweep of what an operation before left behind."""
    more = {
        'steps of the store': few // 10 + 1000,
        'steps of the scheduler': 40,
        'transactions': 4,
        'turns of the loop': 20,
        'bytes of the answer': few // 3 + 40,
    }[what]
    if name == 'explain, at the end' and what == 'steps of the scheduler':
        more += EXPLAIN_MAX
    return few + more


def all_operations():
    with open(f'{HERE}/../../proto/messages.h') as f:
        return set(re.findall(r'^    X\([A-Z_]+, [a-z_]+, "([a-z-]+)", A', f.read(), re.M))


ask('queue-set', queue='deep', create=True, paused=1)
fill(FEW)
ids = [job['id'] for job in reversed(ask('list', limit=FEW)['jobs'])]
few = measure('few', ids)
fill(MANY - FEW)
newest = [job['id'] for job in reversed(ask('list', limit=ROUNDS)['jobs'])]
many = measure('many', ids[4 * ROUNDS:] + newest)

named = {name.split(',')[0].split(' ')[0] for name in few}
left_out = all_operations() - named - {'backup', 'shutdown'}  # these are about all that there is
assert not left_out, f'not measured: {left_out}'
grown = [f'{name}: {few[name][what]} {what} with {FEW} jobs, {n} with {MANY}'
         for name in few for what, n in many[name].items()
         if n > allowed(name, what, few[name][what])]
assert not grown, '\n'.join(grown)

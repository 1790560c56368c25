"""Clients that submit, wait, cancel, and read sets while the daemon is killed again and again, and
write down all that they were told: one JSON object a line, each with the time before its question
was sent the last time (t0) and the time when the answer was there (t1), of the clock that is the
same for all processes. torture_check.py reads them.

The daemon's death is nothing to a client: it connects again and sends the same message again."""
import json
import os
import random
import socket
import struct
import time

from client import Client, pack, unpack  # noqa: F401

LATER = {'queue-full', 'draining', 'busy', 'in-doubt', 'stopping'}
GONE = {'unknown': 10, 'expired': 11}
FAMILIES = ('a', 'b', 'c')
QUEUES = {'two': {'limit': 2}, 'own': {'slots': 2}, 'one': {'limit': 1, 'priority': 3},
          'rate': {'rate': 40, 'rate_ms': 1000}, 'paused': {'slots': 3}}
FACTS = ('state', 'class', 'exit_code', 'signal', 'attempt', 'created_us', 'started_us', 'ended_us',
         'name', 'retry_of', 'err', 'stdout_size')
PATIENCE = 120  # seconds that an answer may take, of a daemon that lives


class Broken(Exception):
    """What no client should ever see."""


class Link(Client):
    """A connection whose loss is told apart from nonsense."""

    def __init__(self, path):
        self.sock, self.id = socket.socket(socket.AF_UNIX), 0x80000000
        self.sock.settimeout(PATIENCE)
        try:
            self.sock.connect(path)
            self.sock.sendall(b'\0SP\0\0\x30\0\0')
            if (got := self.read(8)) != b'\0SP\0\0\x31\0\0':
                raise Broken(f'a handshake of {got!r}')
        except BaseException:
            self.sock.close()
            raise

    def read(self, n):
        data = b''
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise ConnectionError('the connection was lost')
            data += more
        return data

    def receive(self):
        try:
            return super().receive()
        except AssertionError as e:
            raise Broken(str(e)) from e


class Actor:
    """One client: a connection, a log, and chances that follow from the seed."""

    def __init__(self, place, name, seed):
        self.place, self.name = place, name
        self.rng = random.Random(f'{seed} {name}')
        self.path = f'{place}/d/awd.sock'
        self.link = None
        self.serial = 0
        self.file = open(f'{place}/told.{name}', 'a', buffering=1, encoding='utf-8')

    def log(self, kind, **facts):
        self.file.write(json.dumps({'k': kind, **facts}) + '\n')

    def chance(self, percent):
        return self.rng.random() * 100 < percent

    def flagged(self, name):
        return os.path.exists(f'{self.place}/{name}')

    def drop(self):
        if self.link:
            self.link.sock.close()
        self.link = None

    def once(self, op, fields, lose):
        """One try: the reply, or None when there was none."""
        self.link = self.link or Link(self.path)
        self.t0 = time.monotonic()
        self.link.send(op, **fields)
        if lose:
            self.drop()
            return None
        reply = self.link.receive()
        self.t1 = time.monotonic()
        return reply

    def ask(self, op, errors=(), **fields):
        """The answer, however often it has to be asked for. Other errors than those that are
        expected here are written down."""
        pause, lose, end = 0.01, self.chance(3), float('inf')
        while time.monotonic() < end:
            # While the daemon is killed, a long poll may have to be asked for any number of times.
            if end == float('inf') and self.flagged('stop'):
                end = time.monotonic() + PATIENCE
            reply = None
            try:
                reply = self.once(op, fields, lose)
                lose = False
            except Broken as e:
                self.log('bad', op=op, text=str(e))
                self.drop()
            except TimeoutError:
                break
            except OSError:
                self.drop()
            if reply and reply.get('error') not in LATER:
                if reply['err'] and reply['error'] not in errors:
                    self.log('bad', op=op, text=f'{reply}', fields=repr(fields)[:2000])
                return reply
            time.sleep(pause * (0.5 + self.rng.random()))
            pause = min(pause * 2, 0.2)
        self.log('bad', op=op, text=f'no answer in {PATIENCE} s', fields=repr(fields)[:2000])
        self.drop()
        return {'err': 1, 'error': 'none'}

    def seen(self, op, jobs):
        for job in jobs:
            if job.get('err', 0) == 0 or 'state' in job:
                facts = {k: job[k] for k in FACTS if k in job}
                facts.setdefault('state', 'scheduled')
                self.log('seen', op=op, t0=self.t0, t1=self.t1, id=job['id'], **facts)
            else:
                self.log('missing', op=op, t0=self.t0, t1=self.t1, id=job['id'], err=job['err'])


class Worker(Actor):
    """Does everything that makes, moves or removes something."""

    def __init__(self, place, name, seed):
        super().__init__(place, name, seed)
        self.open, self.ended, self.others = [], [], []
        self.generation = dict.fromkeys(FAMILIES, 0)
        self.mine = 0
        self.acts = [(getattr(self, act), weight) for act, weight in (
            ('submit_one', 30), ('submit_batch', 8), ('wait', 16), ('status', 10), ('list', 3),
            ('cancel', 6), ('change', 5), ('retry', 3), ('forget', 4), ('add', 4), ('close', 1),
            ('own_set', 2), ('result', 5), ('attempts', 2), ('explain', 2), ('pause', 1),
            ('cancel_set', 0.1))]

    def run(self):
        acts, weights = zip(*self.acts)
        alive = f'{self.place}/alive.{self.name}'
        open(alive, 'w').close()
        try:
            while not self.flagged('stop'):
                if len(self.open) > 150:
                    self.wait()
                    if self.chance(20):
                        self.ask('queue-set', queue='paused', paused=0)
                else:
                    self.rng.choices(acts, weights)[0]()
        finally:
            self.drop()
            os.unlink(alive)

    # ---- What is submitted

    def spec(self):
        rng, job = self.rng, {}
        self.serial += 1
        job['name'] = f'{self.name}-{self.serial}'
        getattr(self, rng.choices(('exec', 'sleep', 'noop'), (60, 20, 20))[0])(job)
        for key, percent, value in (
                ('priority', 20, lambda: rng.randint(-10, 10)),
                ('queue', 50, lambda: rng.choice(list(QUEUES))),
                ('delay_ms', 12, lambda: rng.randint(1, 600)),
                ('on_interrupt', 40, lambda: 'retry'),
                ('timeout_ms', 5, lambda: rng.randint(1, 150)),
                ('total_timeout_ms', 3, lambda: rng.randint(50, 3000)),
                ('queue_timeout_ms', 4, lambda: rng.randint(20, 1000)),
                ('abandon_ms', 4, lambda: rng.randint(300, 3000)),
                ('grace_ms', 30, lambda: rng.choice((0, 50, 300))),
                ('max_attempts', 25, lambda: rng.randint(2, 4))):
            if self.chance(percent):
                job[key] = value()
        if 'max_attempts' in job:
            job.update(backoff_ms=rng.randint(1, 300), backoff_factor=rng.randint(1, 3))
        self.keys(job)
        return job

    def exec(self, job):
        rng = self.rng
        ms = rng.choice((0, 0, 5, 20, 50, 100, 300)) if self.chance(93) else rng.randint(500, 3000)
        codes = rng.choices(('0', '1', '1,0', '7,7,0', '0,1'), (60, 10, 15, 10, 5))[0]
        out = rng.choice((20000, 70000, 300000)) if self.chance(10) else rng.choice((0, 0, 100, 5000))
        flags = ('t' if self.chance(5) else '') + ('c' if self.chance(5) else '')
        if self.chance(15):
            job['limits'] = self.limits()
        job['argv'] = [os.environ['TORTURE_JOB'], f'{self.place}/journal', str(ms), codes, str(out), flags]

    def limits(self):
        """Those that every runner can keep, and that no job of ours comes near."""
        rng = self.rng
        some = {'files': rng.randint(64, 256), 'nice': rng.randint(1, 5), 'io_priority': rng.randint(1, 9),
                'cpu_time_ms': 3600000}
        return {name: some[name] for name in rng.sample(list(some), rng.randint(1, len(some)))}

    def sleep(self, job):
        job.update(type='sleep', sleep_ms=self.rng.choice((0, 1, 20, 100, 400)))

    def noop(self, job):
        job['type'] = 'noop'

    def keys(self, job):
        if self.chance(8):
            job['key'] = f'k{int(time.monotonic()) // 5}-{self.rng.randint(1, 8)}'
        elif self.chance(5):
            job['key'] = f'cache-{self.rng.randint(1, 8)}'
            job['cache_ttl_ms'] = self.rng.randint(1, 3000)
            if self.chance(30):
                job['cache_failed'] = True

    def parents(self, job):
        for kind, percent in (('after', 10), ('after_any', 6), ('after_fail', 4)):
            if self.chance(percent):
                job[kind] = self.some(self.rng.randint(1, 4))
                if not job[kind]:
                    del job[kind]

    def some(self, n):
        """IDs that exist, or did: one's own and others'."""
        got = []
        for _ in range(n):
            if pool := self.rng.choice((self.open, self.open, self.ended[-50:], self.others)):
                got.append(self.rng.choice(pool))
        return got

    def submit(self, jobs, set_name=None, family=None):
        fields = {'jobs': jobs, 'request': self.rng.randbytes(16)}
        if set_name:
            fields['set'] = set_name
        names = [job['name'] for job in jobs]
        for job in jobs:
            self.log('spec', **{k: v for k, v in job.items() if k != 'argv'},
                     argv=job.get('argv', [])[2:])
        reply = self.ask('submit', ('expired', 'unknown', 'wrong-state'), **fields)
        if reply['err']:
            self.log('refused', names=names, set=set_name, error=reply['error'])
            if reply['error'] == 'wrong-state' and family:
                self.generation[family] += 1
            return []
        ids = reply['ids']
        self.log('ack', t0=self.t0, t1=self.t1, names=names, ids=ids, set=set_name,
                 dedup=reply.get('deduplicated', []), cached=reply.get('cached', []))
        if len(ids) != len(jobs):
            self.log('bad', op='submit', text=f'{len(ids)} IDs for {len(jobs)} jobs')
        self.open += [i for i in ids if i not in self.open]
        return ids

    def somewhere(self):
        if not self.chance(60):
            return None, None
        family = self.rng.choice(FAMILIES)
        return f'{family}-{self.generation[family]}', family

    def submit_one(self):
        job = self.spec()
        self.parents(job)
        self.submit([job], *self.somewhere())

    def submit_batch(self):
        jobs = [self.spec() for _ in range(self.rng.randint(2, 25))]
        if self.chance(50):
            self.parents(self.rng.choice(jobs))
        self.submit(jobs, *self.somewhere())

    # ---- What is asked

    def settled(self, jobs):
        for job in jobs:
            ended = job.get('state') in ('succeeded', 'failed', 'cancelled')
            if (ended or job.get('err', 0)) and job['id'] in self.open:
                self.open.remove(job['id'])
                if ended:
                    self.ended.append(job['id'])

    def wait(self):
        if not self.open:
            return
        ids = self.rng.sample(self.open, min(len(self.open), self.rng.randint(1, 8)))
        if len(self.open) > 150:
            ids = self.open[:60]
        fields = {'ids': ids, 'timeout_ms': self.rng.choice((0, 50, 300, 1500))}
        if self.chance(30):
            fields['n'] = self.rng.randint(1, len(ids))
        if self.chance(20):
            fields['first_error'] = True
        reply = self.ask('wait', **fields)
        if reply['err'] == 0 and reply['done']:
            self.seen('wait', reply['jobs'])
            self.settled(reply['jobs'])
            self.log('waited', ids=ids, n=fields.get('n', 0), first_error=fields.get('first_error', False),
                     t1=self.t1, n_ended=reply['n_ended'], n_failed=reply['n_failed'],
                     states=[job.get('state', 'scheduled') for job in reply['jobs']],
                     errs=[job.get('err', 0) for job in reply['jobs']])

    def status(self):
        ids = self.some(self.rng.randint(1, 12)) or self.ended[:1]
        if ids and (reply := self.ask('status', ids=ids))['err'] == 0:
            self.seen('status', reply['jobs'])
            self.settled(reply['jobs'])

    def list(self):
        reply = self.ask('list', limit=self.rng.choice((1, 20, 100)))
        if reply['err'] == 0:
            self.seen('list', reply['jobs'])
            self.others = [job['id'] for job in reply['jobs']]

    def result(self):
        if not self.ended:
            return
        id = self.rng.choice(self.ended[-30:])
        reply = self.ask('result', ('expired', 'wrong-state'), id=id, max=self.rng.choice((64, 1 << 20)))
        if reply['err'] == 0:
            self.seen('result', [reply['job']])
            data = reply.get('data', b'')
            self.log('output', id=id, head=(data if isinstance(data, str) else os.fsdecode(data))[:64].split('\n')[0],
                     size=reply.get('size', 0), n=len(data), eof=reply.get('eof', False))
        elif reply['error'] == 'wrong-state':
            self.log('bad', op='result', text=f'{id} has ended and has no result: {reply}')

    def attempts(self):
        for id in self.some(1):
            self.ask('attempts', ('expired', 'unknown'), id=id)

    def explain(self):
        for id in self.some(1):
            self.ask('explain', ('expired', 'unknown'), id=id)

    # ---- What is changed

    def each(self, op, ids, errors, **fields):
        """An operation on several futures; returns those to which it was done."""
        if not ids:
            return []
        reply = self.ask(op, ids=ids, **fields)
        if reply['err']:
            return []
        for job in reply['jobs']:
            if job.get('err', 0) not in (0, *errors):
                self.log('bad', op=op, text=repr(job))
        return [job for job in reply['jobs'] if job.get('err', 0) == 0]

    def cancel(self):
        ids = self.rng.sample(self.open, min(len(self.open), self.rng.randint(1, 4)))
        for job in self.each('cancel', ids, (11, 40), grace_ms=self.rng.choice((-1, 0, 50))):
            self.log('seen', op='cancel', t0=self.t0, t1=self.t1, id=job['id'],
                     state=job.get('state', 'scheduled'))

    def change(self):
        what = self.rng.choice(({'set_priority': True, 'priority': self.rng.randint(-10, 10)},
                                {'now': True}, {'renew': True}))
        ids = self.some(3)
        if 'now' in what:
            self.log('hurried', ids=ids)
        self.each('change', ids, (11, 40), **what)

    def retry(self):
        ids = list(dict.fromkeys(self.rng.choices(self.ended[-40:], k=2))) if self.ended else []
        for job in self.each('retry', ids, (11, 40), request=self.rng.randbytes(16)):
            self.log('retried', t0=self.t0, t1=self.t1, id=job['id'], new=job['new_id'])
            self.open.append(job['new_id'])

    def forget(self):
        # Others may have forgotten it before, and the first try may have done it: 11.
        ids = self.rng.sample(self.ended, min(len(self.ended), self.rng.randint(1, 5)))
        if not ids or self.chance(50):
            return
        self.log('forget', ids=ids)
        for job in self.each('forget', ids, (11, 40)):
            self.log('gone', t1=self.t1, id=job['id'])

    def add(self):
        name, family = self.somewhere()
        ids = list(dict.fromkeys(self.some(self.rng.randint(1, 5))))
        if not name or not ids:
            return
        reply = self.ask('set-add', ('wrong-state',), set=name, ids=ids)
        if reply['err'] == 0:
            self.log('added', set=name, ids=[job['id'] for job in reply['jobs'] if not job.get('err', 0)])
        elif reply['error'] == 'wrong-state':
            self.generation[family] += 1
            # Some may be members already; a refusal adds none.
            self.log('not-added', set=name, ids=ids)

    def close(self):
        if self.chance(60):
            return
        name, family = self.somewhere()
        if name and self.ask('set-close', ('no-set',), set=name)['err'] == 0:
            self.generation[family] += 1

    def cancel_set(self):
        if name := self.somewhere()[0]:
            self.ask('set-cancel', ('no-set',), set=name)

    def pause(self):
        paused = self.rng.choice((0, 0, 1))
        limits = self.limits()
        self.ask('queue-set', queue='paused', paused=paused, set_limits=True, limits=limits,
                 only_limits=list(limits))
        self.ask('queue-list')

    def own_set(self):
        """The whole life of a set: submitted into, read to its end, removed with its members."""
        self.mine += 1
        name = f'own-{self.name}-{self.mine}'
        jobs = [self.spec() for _ in range(self.rng.randint(1, 12))]
        for job in jobs:
            # Others must not remove it, nor any job be in it that is not its own.
            for key in ('key', 'cache_ttl_ms', 'cache_failed', 'queue'):
                job.pop(key, None)
        ids = self.submit(jobs, name)
        self.open = [i for i in self.open if i not in ids]
        if self.ask('set-close', set=name)['err']:
            return
        got, done = [], False
        while not done:
            reply = self.ask('set-read', set=name, after=len(got), limit=self.rng.choice((1, 3, 1000)),
                             timeout_ms=2000)
            if reply['err']:
                return
            self.seen('own-set', reply.get('jobs', []))
            got += [job['id'] for job in reply.get('jobs', [])]
            done = reply.get('done', False)
        if sorted(got) != sorted(ids):
            self.log('bad', op='set-read', text=f'{name}: {got} is not {ids}')
        self.ended += ids
        if self.chance(50):
            self.log('forget', ids=ids)
            reply = self.ask('set-forget', ('no-set', 'wrong-state'), set=name, jobs=True)
            if reply['err'] == 0:
                for id in ids:
                    self.log('gone', t1=self.t1, id=id)


class Reader(Actor):
    """Follows one family of sets, from each to the next one, by place or by the daemon's cursor."""

    def __init__(self, place, name, seed, family, cursor):
        super().__init__(place, name, seed)
        self.family, self.cursor = family, cursor

    def run(self):
        generation = 0
        while self.follow(f'{self.family}-{generation}'):
            generation += 1
        self.drop()

    def follow(self, name):
        """Until the set is complete; false when there is none and will be none."""
        place, ack = 0, 0
        while True:
            final = self.flagged('final')
            reply = self.ask('set-read', ('no-set',), set=name, limit=self.rng.choice((1, 7, 1000)),
                             timeout_ms=self.rng.choice((0, 200, 2000)),
                             **({'consumer': self.name, 'after': -1, 'ack': ack} if self.cursor
                                else {'after': place}))
            if reply['err']:
                if final or reply['error'] != 'no-set':
                    return False
                time.sleep(0.2)
                continue
            jobs = reply.get('jobs', [])
            for i, job in enumerate(jobs):
                self.log('place', set=name, place=reply['first'] + i, id=job['id'], err=job.get('err', 0),
                         state=job.get('state', 'scheduled'), cls=job.get('class', 'none'))
            self.seen('set-read', jobs)
            if jobs and not self.cursor and reply['first'] != place + 1:
                self.log('bad', op='set-read', text=f"{name}: asked behind {place}, got {reply['first']}")
            if jobs and self.cursor and reply['first'] > reply.get('cursor', 0) + 1:
                self.log('bad', op='set-read', text=f"{name}: cursor {reply.get('cursor', 0)}, got {reply['first']}")
            place += len(jobs)
            # A reader that forgets to say so gets the same again.
            if jobs and not self.chance(20):
                ack = reply['first'] + len(jobs) - 1
            if reply.get('done') and (not self.cursor or not jobs):
                self.log('set', set=name, t1=self.t1, **reply['set'])
                return True


def actors(place, seed, process):
    """Those that live in one process: process is a number from 0 to 2."""
    family = FAMILIES[process]
    return [Worker(place, f'w{process}{i}', seed) for i in range(3)] + [
        Reader(place, f'p{process}{i}', seed, family, False) for i in range(2)] + [
        Reader(place, f'c{process}', seed, family, True)]

"""What is done to awd while calls of the C library fail in it, and what must hold at the end."""
import os
import signal
import socket
import subprocess
import time

from faults_page import Page
from torture_client import Broken, Link

PATIENCE = 30    # seconds in which anything must have happened
TRIES = 12       # of one request, before it counts as not served
FINAL = ('succeeded', 'failed', 'cancelled')
UNTRUSTED = 'the store cannot be trusted any more'


class Flaw(Exception):
    """What must not be."""


class Refused(Exception):
    """awd did not start, and said why."""


class Daemon:
    """awd in a directory of its own, and aw-runner; one of them may be given faults."""

    def __init__(self, place, runner, library, program):
        self.place, self.runner, self.library, self.program = place, runner, library, program
        self.dir = f'{place}/d'
        os.mkdir(self.dir, 0o700)
        self.page = Page(f'{place}/page')
        self.config = f'{place}/awd.conf'
        self.log = f'{place}/awd.log'
        with open(self.config, 'w') as f:
            f.write('slots = 6\n')
        # What the dynamic linker keeps is known to the sanitizer only if that sees it call.
        with open(f'{place}/leaks', 'w') as f:
            f.write('leak:dl_open\nleak:_dl_\n')
        self.awd, self.faulty, self.fell = None, True, False

    def environment(self):
        env = dict(os.environ, ASAN_OPTIONS=f'verify_asan_link_order=0:log_path={self.place}/found:exitcode=99:'
                   'allocator_may_return_null=1:detect_stack_use_after_return=0',
                   UBSAN_OPTIONS=f'log_path={self.place}/found:print_stacktrace=1',
                   LSAN_OPTIONS=f'suppressions={self.place}/leaks:print_suppressions=0')
        if self.faulty:
            env.update(LD_PRELOAD=self.library, FAULTS_PAGE=self.page.path, FAULTS_PROGRAM=self.program)
        return env

    def start(self):
        """Returns once it answers; Refused when it has ended with a sentence instead."""
        before = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, 'a') as log:
            self.awd = subprocess.Popen(
                ['awd', '--dir', self.dir, '--config', self.config, '--runner-path', self.runner, '--log-level', 'debug'],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment())
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                with socket.socket(socket.AF_UNIX) as sock:
                    sock.connect(f'{self.dir}/awd.sock')
                return
            except OSError:
                pass
            if self.awd.poll() is not None:
                with open(self.log) as log:
                    log.seek(before)
                    said = log.read().strip()
                if self.awd.returncode not in (1, 2) or not said:
                    raise Flaw(f'awd ended with {self.awd.returncode} as it started: {said!r}')
                raise Refused(said.splitlines()[-1])
            time.sleep(0.003)
        raise Flaw('awd does not start')

    def has_ended(self):
        """By itself; that is right only when it said that its store is of no more use, or when libcurl
        pulled it down: there, of 7.88, nothing can be done about that; but nothing may be lost by it."""
        if self.awd.poll() is None:
            return False
        if self.awd.returncode in (-8, -11, 99) and self.page.where().startswith(('malloc libcurl', 'calloc libcurl')):
            for name in self.findings():
                os.unlink(f'{self.place}/{name}')
            self.fell = True
            return True
        with open(self.log) as log:
            if self.awd.returncode != 1 or UNTRUSTED not in log.read():
                raise Flaw(f'awd has ended with {self.awd.returncode}')
        return True

    def again(self):
        self.faulty = False
        self.page.set(armed=0)
        self.start()

    def stop(self):
        if not self.has_ended():
            self.awd.send_signal(signal.SIGTERM)
            try:
                self.awd.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                raise Flaw('awd does not go down') from None
            self.page.set(armed=0)
            if self.awd.returncode:
                with open(self.log) as log:
                    if UNTRUSTED not in log.read():
                        raise Flaw(f'awd, sent SIGTERM, ended with {self.awd.returncode}')

    def close(self):
        if self.awd and self.awd.poll() is None:
            self.awd.kill()
            self.awd.wait()
        self.page.close()

    def processes(self):
        """Those that have our directory on their command line or are in it."""
        found = []
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open(f'/proc/{pid}/cmdline', 'rb') as f:
                    if int(pid) != os.getpid() and f'{self.place}/'.encode() in f.read():
                        found.append(int(pid))
            except OSError:
                pass
        return found

    def findings(self):
        return [name for name in os.listdir(self.place) if name.startswith('found.')]


class Work:
    """One client that does everything once, however often it has to ask."""

    def __init__(self, daemon, web):
        self.daemon, self.web = daemon, web
        self.path = f'{daemon.dir}/awd.sock'
        self.runs = f'{daemon.place}/runs'
        self.link, self.parked = None, None
        self.ids, self.forgotten = {}, set()
        self.serial = 0

    # ---- Asking

    def drop(self):
        for link in filter(None, (self.link, self.parked)):
            link.sock.close()
        self.link = self.parked = None

    def once(self, op, fields):
        if not self.link:
            self.link = Link(self.path)
            self.link.sock.settimeout(PATIENCE)
        self.link.send(op, **fields)
        return self.link.receive()

    def ask(self, op, *errors, **fields):
        """Its reply without an error, or with one of those. A fault may cost a try or two."""
        reply = None
        for attempt in range(TRIES):
            try:
                reply = self.once(op, fields)
                if reply['err'] == 0 or reply['error'] in errors:
                    return reply
            except TimeoutError:
                raise Flaw(f'{op}: no answer in {PATIENCE} s') from None
            except Broken as e:
                raise Flaw(f'{op}: {e}') from e
            except OSError as e:
                reply = repr(e)
                self.drop()
            if self.daemon.has_ended():
                self.drop()
                self.daemon.again()
            time.sleep(0.005 * 2 ** min(attempt, 7))
        raise Flaw(f'{op} is not served any more: {reply}')

    def submit(self, *jobs, **fields):
        reply = self.ask('submit', jobs=list(jobs), request=os.urandom(16), **fields)
        for job, i in zip(jobs, reply['ids']):
            self.ids.setdefault(job['name'], i)
        return reply

    def exec(self, name, script, **fields):
        return {'name': name, 'argv': ['/bin/sh', '-c', f'echo {name} >>{self.runs}; {script}'], **fields}

    def job(self, name):
        return self.ask('status', ids=[self.ids[name]])['jobs'][0]

    def wait(self, *names):
        end = time.monotonic() + PATIENCE
        while not self.ask('wait', ids=[self.ids[name] for name in names], timeout_ms=3000)['done']:
            if time.monotonic() > end:
                raise Flaw(f'not ended: {[(n, self.job(n)) for n in names if self.job(n).get("state") not in FINAL]}')

    def until(self, what, true):
        end = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > end:
                raise Flaw(f'in vain: {what}')
            time.sleep(0.005)

    # ---- What is asked for

    def everything(self):
        self.ask('hello', client='faults')
        self.gate = f'{self.daemon.place}/go'
        self.many_kinds()
        self.park()
        self.sets_and_queues()
        self.output()
        self.reload()
        self.changes()
        self.backup()
        self.wait(*(name for name in self.ids if name not in ('late', 'gated')))
        self.goes_on()

    def goes_on(self):
        """The fault is past: from now on everything works again."""
        for n in range(10):
            before, names = self.daemon.page.get('failed'), [f'{kind}{n}' for kind in ('exec', 'http', 'noop', 'sleep')]
            self.submit(self.exec(names[0], 'echo x'), {'name': names[1], 'type': 'http', 'url': f'{self.web}/hello'},
                        {'name': names[2], 'type': 'noop'}, {'name': names[3], 'type': 'sleep', 'sleep_ms': 1})
            self.wait(*names)
            bad = [(name, self.job(name)) for name in names if self.job(name)['state'] != 'succeeded']
            if not bad:
                return
            if self.daemon.page.get('failed') == before:
                raise Flaw(f'long after the fault: {bad}')
        raise Flaw('it never goes on')

    def many_kinds(self):
        self.submit(self.exec('plain', 'echo plain', key='k1'))
        if 'deduplicated' not in self.submit({'name': 'same', 'type': 'noop', 'key': 'k1'}):
            raise Flaw('a key gave two futures')
        del self.ids['same']
        self.submit({'name': 'noop', 'type': 'noop'}, {'name': 'sleep', 'type': 'sleep', 'sleep_ms': 20},
                    {'name': 'get', 'type': 'http', 'url': f'{self.web}/hello'},
                    {'name': 'post', 'type': 'http', 'url': f'{self.web}/big', 'body': b'x' * 5000},
                    {'name': 'refused', 'type': 'http', 'url': 'http://127.0.0.1:1/'},
                    self.exec('stdin', 'cat', stdin=b'from stdin'),
                    self.exec('env', 'echo ${#LONG}', env=['LONG=' + 'x' * 100000, 'PATH=/usr/bin:/bin']),
                    self.exec('spooled', 'head -c 300000 /dev/zero; echo spooled >&2'),
                    self.exec('gated', f'echo begun; until [ -e {self.gate} ]; do sleep 0.02; done; echo ended'),
                    self.exec('again', 'exit 3', max_attempts=2, backoff_ms=1),
                    {'name': 'late', 'type': 'noop', 'delay_ms': 3600000, 'abandon_ms': 3600000})
        self.submit(self.exec('child', 'echo child', after=[self.ids['plain'], self.ids['noop']]),
                    {'name': 'doomed', 'type': 'noop', 'after': [self.ids['again']]})

    def park(self):
        """A wait that is answered late, if at all."""
        try:
            self.parked = Link(self.path)
            self.parked.send('wait', ids=[self.ids['gated']], timeout_ms=30000)
        except (OSError, Broken):
            self.parked = None

    def sets_and_queues(self):
        self.ask('queue-set', 'wrong-state', queue='q', create=True, limit=1)
        self.ask('queue-set', queue='q', slots=2, rate=1000, rate_ms=1000)
        self.submit({'name': 'member1', 'type': 'noop', 'queue': 'q'}, self.exec('member2', 'echo 2', queue='q'), set='s')
        self.ask('set-add', set='s', ids=[self.ids['plain'], self.ids['sleep']])
        self.ask('set-close', set='s')
        end, seen = time.monotonic() + PATIENCE, []
        while len(seen) < 4:
            reply = self.ask('set-read', set='s', after=len(seen), limit=3, timeout_ms=2000)
            seen += [job['id'] for job in reply.get('jobs', [])]
            if time.monotonic() > end:
                raise Flaw(f'the set told of {seen} only')
        if sorted(seen) != sorted(self.ids[n] for n in ('member1', 'member2', 'plain', 'sleep')):
            raise Flaw(f'the set told of {seen}')
        for op in ('set-show', 'set-members', 'set-list', 'queue-list', 'stats', 'list', 'slots', 'drain'):
            self.ask(op, **({'set': 's'} if op in ('set-show', 'set-members') else {'on': False} if op == 'drain' else {}))

    def output(self):
        self.wait('spooled', 'stdin', 'env')
        for name in ('spooled', 'plain'):
            self.ask('result', 'wrong-state', id=self.ids[name], max=65536)
            for stream in ('stdout', 'stderr'):
                self.ask('logs', 'no-output', 'unknown', 'system', id=self.ids[name], stream=stream)
        self.ask('logs', id=self.ids['gated'], wait_ms=200)
        self.ask('attempts', id=self.ids['again'])
        for name in ('late', 'gated', 'plain'):
            self.ask('explain', id=self.ids[name])

    def reload(self):
        with open(self.daemon.config, 'a') as f:
            f.write('max_kept = 5000\n')
        if not self.daemon.has_ended():
            self.daemon.awd.send_signal(signal.SIGHUP)
        self.ask('stats')

    def changes(self):
        self.ask('change', ids=[self.ids['late']], set_priority=True, priority=5)
        self.ask('change', ids=[self.ids['late']], renew=True)
        self.submit(self.exec('endless', 'sleep 600; exit 1', grace_ms=100), {'name': 'never', 'type': 'noop', 'delay_ms': 3600000})
        self.ask('cancel', ids=[self.ids['endless'], self.ids['never']])
        self.wait('again', 'endless', 'never')
        self.ids.setdefault('retried', self.ask('retry', ids=[self.ids['again']], request=os.urandom(16))['jobs'][0]['new_id'])
        self.submit({'name': 'short', 'type': 'noop'})
        self.wait('short')
        self.forget('short')
        self.ask('set-forget', 'no-set', set='s')

    def forget(self, *names):
        def gone():
            jobs = self.ask('forget', ids=[self.ids[n] for n in names])['jobs']
            return all(job.get('err', 0) in (0, 11) for job in jobs)
        self.until('forget', gone)
        self.forgotten.update(names)

    def backup(self):
        path = f'{self.daemon.place}/copy.db'
        self.ask('backup', 'invalid', 'wrong-state', 'not-permitted', file=path)

    # ---- What must hold

    def check(self, spare):
        """Of a daemon without faults. `spare`: ends that a fault may have caused are right, too."""
        open(self.gate, 'w').close()
        self.wait(*(name for name in self.ids if name not in self.forgotten and name != 'late'))
        listed = self.ask('list', limit=1000)['jobs']
        kept = {i for name, i in self.ids.items() if name not in self.forgotten}
        if {job['id'] for job in listed} != kept or len(listed) != len(kept):
            raise Flaw(f'on record are {sorted(job["id"] for job in listed)}, acknowledged were {sorted(kept)}')
        ran = open(self.runs).read().split() if os.path.exists(self.runs) else []
        failed = [self.check_job(name, ran, spare) for name in self.ids if name not in self.forgotten]
        return [name for name in failed if name]

    WANTED = {'again': ('failed', 'exit'), 'retried': ('failed', 'exit'), 'doomed': ('failed', 'dependency'),
              'refused': ('failed', 'connection'), 'endless': ('cancelled', 'none'), 'never': ('cancelled', 'none'),
              'late': ('scheduled', 'none')}
    OUTPUT = {'plain': b'plain\n', 'child': b'child\n', 'stdin': b'from stdin', 'env': b'100000\n', 'get': b'hello\n',
              'member2': b'2\n', 'gated': b'begun\nended\n', 'spooled': b'\0' * 300000, 'post': b'y' * 200000}

    def check_job(self, name, ran, spare):
        job = self.job(name)
        state, kind = job.get('state', 'scheduled'), job.get('class', 'none')
        runs = ran.count('again' if name == 'retried' else name)
        most = {'again': 4, 'retried': 4}.get(name, 1)
        if kind == 'exit' and state == 'failed' and runs < 2:
            raise Flaw(f'{name} was not tried again')
        if runs > most:
            raise Flaw(f'{name} ran {runs} times')
        if (state, kind) == self.WANTED.get(name, ('succeeded', 'none')):
            if name in self.OUTPUT and name not in ('get', 'post') and runs != 1:
                raise Flaw(f'{name} succeeded, and ran {runs} times')
            if spare and ' lost: ' in job.get('message', ''):
                return f'{name} {job["message"]}'
            if name in self.OUTPUT:
                self.check_output(name)
            return None
        if spare and state == 'failed' and kind in (
                'spawn', 'interrupted', 'connection', 'output-limit', 'dependency', 'http', 'tls') and job.get('message'):
            return f'{name} {kind}: {job["message"]}'
        raise Flaw(f'{name} has ended as {state}, {kind}: {job.get("message", "")}')

    def check_output(self, name):
        data, reply = b'', {}
        while not reply.get('eof'):
            reply = self.ask('result', id=self.ids[name], offset=len(data))
            more = reply.get('data', b'')
            data += more
            if not more and not reply.get('eof'):
                raise Flaw(f'{name}: its output ends after {len(data)} bytes of {reply.get("size")}')
        if data != self.OUTPUT[name]:
            raise Flaw(f'{name}: its output is {data[:60]!r}, {len(data)} bytes')

    def clean_up(self):
        """All records go, and with them all files."""
        self.ask('cancel', ids=[self.ids['late']])
        self.wait('late')
        self.forget(*(name for name in self.ids if name not in self.forgotten))
        self.until('empty spool', lambda: not os.listdir(f'{self.daemon.dir}/spool'))

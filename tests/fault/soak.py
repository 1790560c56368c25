"""Soak: mixed load for a long time, while what the daemon and the runner take is written down.

    soak.py DIRECTORY RUNNER SECONDS

Clients on threads of their own submit, wait, read sets as their members end, cancel, retry, forget,
follow output and come and go; the daemon is told to read its configuration again, and, in the first
quarter of the time, is restarted now and then. What has ended is pruned after some seconds, so that
what there is to keep does not grow.

Then all clients stop, what runs ends, and what is left is forgotten. Printed, as TAP: whether
descriptors, threads, processes and files are as few as before. A soak of at least ten minutes also
judges memory, the store and the spool. Each has an early window, from 35 to 50 % of the time, when
the last daemon has been up for a while and the first records have been pruned, and a late one, the
last 15 %. The median of the late one may be GROWTH times that of the early one, and a little more:
a leak of a few bytes for each request would be more than that after some 100,000 requests, and
single peaks are none. (In a shorter one caches still fill.)

figures.csv in DIRECTORY has all samples."""
import csv
import http.server as http_server
import os
import random
import signal
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'e2e'))

from client import Client  # noqa: E402

JUDGED = 600  # seconds from which on figures are judged
GROWTH = 1.25
RETENTION = 20
EARLY, LATE = (0.35, 0.5), (0.85, 1.0)
SLACK = {'awd_kib': 4096, 'runner_kib': 2048, 'awd_fds': 8, 'runner_fds': 8, 'awd_threads': 1,
         'store_kib': 8192, 'spool_kib': 4096}

PLACE, RUNNER, SECONDS = sys.argv[1], sys.argv[2], float(sys.argv[3])
SOCKET = f'{PLACE}/d/awd.sock'
stop = threading.Event()
done = {}  # how often each thing was done
done_lock = threading.Lock()
http = ''


# ---- The daemon

def awd_start():
    with open(f'{PLACE}/awd.log', 'a') as log:
        awd = subprocess.Popen(
            ['awd', '--dir', f'{PLACE}/d', '--runner-path', RUNNER, '--slots', '4', '--retention', f'{RETENTION}s',
             '--http-deny', 'none'], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    with open(f'{PLACE}/awd.pid', 'w') as f:
        print(awd.pid, file=f)
    end = time.monotonic() + 60
    while True:
        try:
            Client(SOCKET).call('hello')
            return awd
        except (OSError, AssertionError):
            assert time.monotonic() < end and awd.poll() is None, 'awd does not start'
            time.sleep(0.05)


class Web(http_server.BaseHTTPRequestHandler):
    """/big answers with much, /status/N with that, everything else with little."""
    protocol_version = 'HTTP/1.1'
    connections = set()  # that are open: awd keeps some for the next job

    def setup(self):
        super().setup()
        self.connections.add(self)

    def finish(self):
        super().finish()
        self.connections.discard(self)

    def do_GET(self):
        body = b'x' * (50000 if self.path == '/big' else 5)
        self.send_response(int(self.path.rsplit('/', 1)[1]) if 'status' in self.path else 200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def http_start():
    server = http_server.ThreadingHTTPServer(('127.0.0.1', 0), Web)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


# ---- Clients

AGAIN = 35, 36  # in doubt (each request has a name), going down


class Refused(Exception):
    pass


class Actor:
    """One client: does one thing after another until it is told to stop."""

    def __init__(self, number):
        self.rng = random.Random(number)
        self.number, self.count = number, 0
        self.client, self.ended = None, []

    def ask(self, op, **fields):
        """Sent again for as long as the daemon is away or has something else to do."""
        while True:
            try:
                if not self.client:
                    self.client = Client(SOCKET)
                self.client.send(op, **fields)
                reply = self.client.receive()
            except (OSError, AssertionError):
                self.drop()
                time.sleep(0.05)
                continue
            if reply['err'] == 0:
                return reply
            if 'retry_after_ms' not in reply and reply['err'] not in AGAIN:
                raise Refused(reply.get('message', ''))
            time.sleep(min(reply.get('retry_after_ms', 50), 200) / 1000)

    def drop(self):
        if self.client:
            self.client.sock.close()
        self.client = None

    def submit(self, *jobs, **more):
        return self.ask('submit', request=os.urandom(16), jobs=list(jobs), **more)['ids']

    def wait(self, ids):
        while not (reply := self.ask('wait', ids=ids, timeout_ms=5000)).get('done'):
            if stop.is_set():
                return None
        self.ended = ids
        return reply['jobs']

    # What there is to do

    def quick(self):
        self.wait(self.submit({'argv': ['/bin/true']}, {'type': 'noop'}))

    def many(self):
        for _ in range(50):
            self.wait(self.submit({'type': 'noop'}, {'type': 'noop'}))

    def output(self):
        """More than is kept in memory: it goes to a file."""
        n = self.rng.choice((100, 20000, 200000))
        ids = self.submit({'argv': ['/bin/sh', '-c', f'head -c {n} /dev/zero; echo x >&2']})
        if self.wait(ids):
            assert self.ask('result', id=ids[0], max=100)['size'] == n

    def follow(self):
        ids = self.submit({'argv': ['/bin/sh', '-c', 'for i in 1 2 3; do echo $i; sleep 0.02; done']})
        at = 0
        while not (part := self.ask('logs', id=ids[0], offset=at, wait_ms=1000)).get('eof'):
            at += len(part.get('data', b''))
            if stop.is_set():
                return

    def web(self):
        self.wait(self.submit({'type': 'http', 'url': f'{http}/{self.rng.choice(("", "big", "status/404"))}'}))

    def sleeps(self):
        self.wait(self.submit(*[{'type': 'sleep', 'sleep_ms': self.rng.randrange(50)} for _ in range(10)]))

    def a_set(self):
        """As they end; then the set goes, and what was in it."""
        self.count += 1
        name, n = f's{self.number}-{self.count}', self.rng.randrange(1, 20)
        self.submit(*[{'type': 'noop'} for _ in range(n)], set=name)
        self.ask('set-close', set=name)
        got = place = 0
        while not stop.is_set():
            page = self.ask('set-read', set=name, consumer='soak', ack=place, timeout_ms=2000)
            got += len(page['jobs'])
            place = page.get('first', 0) + len(page['jobs']) - 1 if page['jobs'] else place
            if page.get('done'):
                assert got == n, f'{got} of {n} completions'
                break
        if not stop.is_set():
            self.ask('set-forget', set=name, jobs=True)

    def cancels(self):
        ids = self.submit({'argv': ['/bin/sleep', '60'], 'grace_ms': 100}, {'type': 'noop', 'delay_ms': 60000})
        self.ask('cancel', ids=ids)
        self.wait(ids)
        self.ended = []  # again() is not to wait for these

    def again(self):
        if self.ended:
            new = self.ask('retry', request=os.urandom(16), ids=self.ended[:3])['jobs']
            self.wait([job['new_id'] for job in new if job.get('new_id')] or self.ended)

    def forget(self):
        if self.ended:
            self.ask('forget', ids=self.ended)
        self.ended = []

    def fails(self):
        self.wait(self.submit({'argv': ['/bin/false'], 'max_attempts': 3, 'backoff_ms': 10},
                              {'argv': ['/nowhere/at/all']}, {'argv': ['/bin/sleep', '5'], 'timeout_ms': 20, 'grace_ms': 50}))

    def looks(self):
        for _ in range(50):
            self.ask('list', limit=50)
            self.ask('stats')
            self.ask('set-list')

    def leaves(self):
        """Goes while it is waiting."""
        ids = self.submit({'type': 'sleep', 'sleep_ms': 200})
        self.client.send('wait', ids=ids)
        self.drop()

    def churn(self):
        for _ in range(20):
            self.drop()
            self.ask('hello')

    def run(self):
        things = (self.quick, self.many, self.output, self.follow, self.web, self.sleeps, self.a_set, self.cancels, self.again,
                  self.forget, self.fails, self.looks, self.leaves, self.churn)
        while not stop.is_set():
            thing = self.rng.choice(things)
            try:
                thing()
            except Refused as e:  # pruned meanwhile: as it may be after some seconds
                assert any(word in str(e) for word in ('pruned', 'expired', 'no such', 'no set', 'not ended')), str(e)
            with done_lock:
                done[thing.__name__] = done.get(thing.__name__, 0) + 1
        self.drop()


def guarded(actor, faults):
    try:
        actor.run()
    except BaseException as e:
        faults.append(f'{type(e).__name__}: {e} at line {e.__traceback__.tb_lineno}')


# ---- Samples

def entries(path):
    try:
        return len(os.listdir(path))
    except OSError:
        return 0


def memory(pid):
    try:
        with open(f'/proc/{pid}/smaps_rollup') as f:
            return next(int(line.split()[1]) for line in f if line.startswith('Pss:'))
    except (OSError, StopIteration):
        return 0


def size(path):
    kib = files = 0
    for where, _, names in os.walk(path):
        for name in names:
            try:
                kib += os.lstat(os.path.join(where, name)).st_blocks // 2
                files += 1
            except FileNotFoundError:
                pass
    return kib, files


def children(pid):
    try:
        with open(f'/proc/{pid}/task/{pid}/children') as f:
            return f.read().split()
    except OSError:
        return []


def sample(awd, runner):
    spool_kib, spool_files = size(f'{PLACE}/d/spool')
    return {
        'awd_kib': memory(awd), 'awd_fds': entries(f'/proc/{awd}/fd'), 'awd_threads': entries(f'/proc/{awd}/task'),
        'runner_kib': memory(runner), 'runner_fds': entries(f'/proc/{runner}/fd'), 'jobs': len(children(runner)),
        'store_kib': size(f'{PLACE}/d/store')[0],
        'spool_kib': spool_kib, 'spool_files': spool_files, 'files': size(f'{PLACE}/d')[1] - spool_files}


# ---- TAP

n_checks = 0


def check(good, text, why=''):
    global n_checks
    n_checks += 1
    print(f'{"ok" if good else "not ok"} {n_checks} - {text}')
    if not good:
        print(f'# {why}')


def windows(samples, key):
    def median(window):
        return statistics.median([s[key] for t, s in samples if window[0] <= t / SECONDS <= window[1]] or [0])
    return median(EARLY), median(LATE)


def judge(samples):
    for key, slack in SLACK.items():
        early, late = windows(samples, key)
        most = max(s[key] for _, s in samples)
        print(f'# {key}: {early:.0f} early, {late:.0f} late, {most} at most')
        if SECONDS >= JUDGED:
            check(late <= early * GROWTH + slack, f'{key} stays where it was', f'{early} became {late}')


# ---- The whole

def stats():
    return Client(SOCKET).call('stats')


def runner_pid():
    end = time.monotonic() + 60
    while not (pid := stats().get('runner_pid', 0)):
        assert time.monotonic() < end, 'awd has no runner'
        time.sleep(0.05)
    return pid


def load(awd, samples, faults):
    threads = [threading.Thread(target=guarded, args=(Actor(i), faults)) for i in range(8)]
    for thread in threads:
        thread.start()
    begin, last, restarts, runner = time.monotonic(), -1, 0, 0
    while (t := time.monotonic() - begin) < SECONDS and not faults:
        if t < SECONDS / 4 and t > (restarts + 1) * SECONDS / 16:
            restarts += 1
            awd.send_signal(random.choice((signal.SIGTERM, signal.SIGKILL)))
            awd.wait()
            awd = awd_start()
        if int(t / 10) != last:
            last = int(t / 10)
            awd.send_signal(signal.SIGHUP)
            runner = runner_pid()
        samples.append((t, sample(awd.pid, runner)))
        time.sleep(min(1, SECONDS / 50))
    stop.set()
    for thread in threads:
        thread.join(120)
    print(f'# {restarts} restarts; ' + ', '.join(f'{k} {v}' for k, v in sorted(done.items())))
    return awd


def settle():
    """All that there is ends, and goes."""
    client, end = Client(SOCKET), time.monotonic() + 120
    while time.monotonic() < end:
        s = client.call('stats')
        ids = [job['id'] for job in client.call('list', limit=1000)['jobs']]
        if not ids and s['running'] == 0:
            break
        client.call('cancel', ids=ids or ['1'], grace_ms=100)
        client.call('forget', ids=ids or ['1'])
        time.sleep(0.2)
    for page in iter(lambda: client.call('set-list', limit=1000)['sets'], []):
        for one in page:
            client.call('set-forget', set=one['name'])
    client.sock.close()


def until(what, seconds=60):
    end = time.monotonic() + seconds
    while not (good := what()) and time.monotonic() < end:
        time.sleep(0.2)
    return good


def main():
    global http
    samples, faults = [], []
    server = http_start()
    http = f'http://127.0.0.1:{server.server_address[1]}'
    awd = awd_start()
    first = Client(SOCKET)
    # With the first http job awd opens what they need, and keeps it.
    ids = first.call('submit', request=os.urandom(16), jobs=[{'type': 'http', 'url': f'{http}/'}])['ids']
    assert first.call('wait', ids=ids, timeout_ms=30000)['done']
    runner = runner_pid()
    before = sample(awd.pid, runner)
    before['awd_fds'] -= len(Web.connections)
    first.sock.close()
    awd = load(awd, samples, faults)
    server.shutdown()
    with open(f'{PLACE}/figures.csv', 'w') as f:
        table = csv.DictWriter(f, ['s', *samples[0][1]])
        table.writeheader()
        table.writerows({'s': round(t), **s} for t, s in samples)
    check(not faults, 'no client was told nonsense', '; '.join(faults))
    print(f'# the last daemon had {stats()["requests"]} requests')
    settle()
    runner = runner_pid()

    def now(key):
        return sample(awd.pid, runner)[key]

    def awd_fds():
        return now('awd_fds') - len(Web.connections)

    check(until(lambda: awd_fds() <= before['awd_fds']), 'awd has no more descriptors than before',
          f'{awd_fds()}, before {before["awd_fds"]}')
    check(until(lambda: now('runner_fds') <= before['runner_fds']), 'aw-runner has no more descriptors than before',
          f'{now("runner_fds")}, before {before["runner_fds"]}')
    check(until(lambda: now('awd_threads') <= before['awd_threads'] + 1), 'awd has no more threads than before, but for one of the store',
          f'{now("awd_threads")}, before {before["awd_threads"]}')
    check(until(lambda: not children(runner)), 'no process is left of any job', str(children(runner)))
    check(until(lambda: now('spool_files') == 0), 'no output file is left', f'{now("spool_files")} files')
    check(until(lambda: now('files') <= before['files'] + 2), 'no other file is left, but for the store\'s own',
          f'{now("files")} files, before {before["files"]}')
    judge(samples)
    print(f'1..{n_checks}')


main()

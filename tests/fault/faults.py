"""Faults at every point: awd, or its runner, does a bit of everything while one call of the C library
fails, then another one, and so on until all have had their turn. Prints TAP.

    faults.py DIRECTORY RUNNER

DIRECTORY is for what the programs leave; RUNNER is aw-runner. FAULTS_LIBRARY is faults.so.
They are taken in an order that follows from FAULTS_SEED (default: the clock; it is printed), until
FAULTS_SECONDS (default: 30) are over, or FAULTS_SAMPLE of them have been taken, if it is set.
FAULTS_KINDS: only these, as in "awd:WRITE aw-runner". FAULTS_POINT repeats one point, in the words
that are printed for a flaw."""
import http.server
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))

from faults_page import ALWAYS, ERRORS, KINDS  # noqa: E402
from faults_work import PATIENCE, Daemon, Flaw, Refused, Work  # noqa: E402

PROGRAMS = ('awd', 'aw-runner')
BY_CHAIN = ('ALLOC', 'WRITE', 'READ', 'SEND', 'RECEIVE', 'FD', 'DIR', 'MAP', 'SOCKET', 'OPEN', 'SYNC', 'SPAWN')


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def answer(self):
        self.rfile.read(int(self.headers.get('Content-Length', 0)))
        data = b'hello\n' if self.path == '/hello' else b'y' * 200000
        self.send_response(200)
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = answer

    def log_message(self, *args):
        pass

    def handle(self):
        try:
            super().handle()
        except OSError:
            pass  # a client that went away


class Point:
    """Which call fails: program, kind, errno, the first and the last that do, chain (0: any)."""

    def __init__(self, program, kind, error, first, last=None, chain=0):
        self.program, self.kind, self.error = program, kind, error
        self.first, self.last, self.chain = first, first if last is None else last, chain

    def __str__(self):
        last = 'on' if self.last == ALWAYS else self.last
        return f'{self.program}:{self.kind}:{self.error}:{self.first}:{last}:{self.chain:x}'

    @staticmethod
    def parse(text):
        program, kind, error, first, last, chain = text.split(':')
        return Point(program, kind, error, int(first), ALWAYS if last == 'on' else int(last), int(chain, 16))


class Faults:
    def __init__(self, place, runner):
        self.place, self.runner = place, runner
        self.library = os.environ['FAULTS_LIBRARY']
        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Web)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.web = f'http://127.0.0.1:{self.server.server_address[1]}'
        self.tried = {}
        self.failures = {}
        self.n_refused = self.n_restarts = self.n_fell = 0
        self.flaws = []
        self.n_calls = 0

    # ---- One run

    def run(self, program, arm, spare):
        """All of it, in a fresh directory; what is left of that when something is wrong is kept."""
        place = f'{self.place}/run'
        shutil.rmtree(place, ignore_errors=True)
        os.mkdir(place)
        daemon = Daemon(place, self.runner, self.library, program)
        work = Work(daemon, self.web)
        try:
            arm(daemon.page)
            self.story(daemon, work, spare)
            return self.told(daemon.page)
        finally:
            work.drop()
            daemon.close()
            for pid in daemon.processes():
                os.kill(pid, signal.SIGKILL)

    @staticmethod
    def told(page):
        return {'failed': page.get('failed'), 'where': page.where(), 'calls': page.calls(), 'chains': list(page.chains())}

    def story(self, daemon, work, spare):
        try:
            try:
                daemon.start()
            except Refused:
                self.n_refused += 1
                daemon.again()
            work.everything()
            daemon.stop()
            self.n_restarts += daemon.awd.returncode == 1
            self.n_fell += daemon.fell
            daemon.again()
            for text in work.check(spare):
                self.failures[text] = self.failures.get(text, 0) + 1
            work.clean_up()
            work.ask('shutdown', mode='kill')
            work.drop()
            self.afterwards(daemon)
        except Refused as e:
            raise Flaw(f'awd does not start any more: {e}') from e
        except Flaw as e:
            raise Flaw(f'{e}; {" ".join(daemon.findings())} {daemon.page.where()}') from e

    def afterwards(self, daemon):
        """Nothing is left, and the store is sound."""
        if daemon.awd.wait(PATIENCE):
            raise Flaw(f'the daemon without faults ended with {daemon.awd.returncode}')
        end = time.monotonic() + PATIENCE
        while left := daemon.processes():
            if time.monotonic() > end:
                raise Flaw(f'processes are left: {left}')
            time.sleep(0.01)
        verify = subprocess.run(['awd', '--dir', daemon.dir, '--verify'], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True)
        if verify.returncode:
            raise Flaw(f'awd --verify: {verify.stdout}{verify.stderr}')
        if daemon.findings():
            raise Flaw('the sanitizers have found something')

    # ---- All of them

    def record(self, program):
        """Which chains of callers there are: what several runs without faults come by."""
        seen = {}
        for _ in range(2):
            told = self.run(program, lambda page: page.set(record=1), False)
            for kind, chain, count in told['chains']:
                seen[chain] = (kind, max(count, seen.get(chain, (kind, 0))[1]))
        return seen, told['calls']

    def points(self, only):
        found = []
        for program in PROGRAMS:
            seen, calls = self.record(program)
            self.n_calls += sum(calls.values())
            print(f'# {program} makes ' + ', '.join(f'{n} {kind}' for kind, n in calls.items() if n)
                  + f' calls by {len(seen)} chains', flush=True)
            for chain, (kind, count) in seen.items():
                for error in ERRORS[kind]:
                    found.append(Point(program, kind, error, 1, 1, chain))
                if count > 3:
                    found.append(Point(program, kind, ERRORS[kind][0], count // 2, count // 2, chain))
            for kind in KINDS:
                # Several in a row, at places that come ever further apart.
                n = 1
                while n <= calls[kind]:
                    found.append(Point(program, kind, ERRORS[kind][-1], n, n + 3))
                    n += max(1, n // 4)
        return [p for p in found if not only or p.program in only or f'{p.program}:{p.kind}' in only or p.kind in only]

    def try_one(self, point):
        told = {}
        try:
            told = self.run(point.program, lambda page: page.arm(
                point.kind, point.error, point.first, point.last, point.chain), True)
        except Flaw as e:
            self.flaws.append(point)
            print(f'# FAULTS_POINT={point}\n#   {e}', flush=True)
            self.keep(point)
        entry = self.tried.setdefault((point.program, point.kind), [0, 0])
        entry[0] += 1
        entry[1] += bool(told.get('failed')) or not told

    def keep(self, point):
        to = f'{self.place}/flaw{len(self.flaws)}'
        shutil.rmtree(to, ignore_errors=True)
        if os.path.isdir(f'{self.place}/run'):
            shutil.move(f'{self.place}/run', to)
            with open(f'{to}/point', 'w') as f:
                print(point, file=f)

    def report(self):
        for (program, kind), (n, hit) in sorted(self.tried.items()):
            print(f'# {program} {kind}: {n} points, of which {hit} came about')
        print(f'# {self.n_refused} times awd did not start and said why, {self.n_restarts} times it went down '
              f'for its store, {self.n_fell} times it fell in libcurl; jobs that failed by it:')
        for text, n in sorted(self.failures.items(), key=lambda item: -item[1])[:40]:
            print(f'#   {n} x {text}')
        total = sum(n for n, _ in self.tried.values())
        bad = 'not ' if self.flaws or not total else ''
        print(f'{bad}ok 1 - {total} faults: served or refused, nothing lost, doubled or leaked, and it goes on')
        print('1..1')


def main():
    place, runner = sys.argv[1:]
    seed = os.environ.get('FAULTS_SEED') or str(time.time_ns() % 10**9)
    faults = Faults(place, runner)
    if os.environ.get('FAULTS_POINT'):
        points = [Point.parse(text) for text in os.environ['FAULTS_POINT'].split()]
    else:
        points = faults.points(os.environ.get('FAULTS_KINDS', '').split())
        print(f'# {len(points)} points; FAULTS_SEED={seed}', flush=True)
        if not faults.n_calls:
            print('1..0 # SKIP the sanitizers are linked into the programs: nothing can stand before them')
            return 0
    random.Random(seed).shuffle(points)
    end = time.monotonic() + float(os.environ.get('FAULTS_SECONDS') or 30)
    for point in points[:int(os.environ.get('FAULTS_SAMPLE') or len(points))]:
        if time.monotonic() > end:
            break
        faults.try_one(point)
    faults.report()
    return bool(faults.flaws)


if __name__ == '__main__':
    sys.exit(main())

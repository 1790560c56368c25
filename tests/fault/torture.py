"""Crash torture: many clients, while the daemon, its runner or both are killed again and again; then
all that anybody was told is compared with what is there. Prints TAP.

    torture.py DIRECTORY RUNNER

DIRECTORY has a directory d for the daemon; logs of all kinds are left there. RUNNER is aw-runner.
TORTURE_SEED is what chances follow from (default: the clock; it is printed), TORTURE_KILLS how often
something is killed, or TORTURE_SECONDS for how long. TORTURE_JOB is the program of torture_job.c.
The same seed makes the same choices; what comes of them is for the scheduler to say, so that a
finding may need several runs to come back."""
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))

import torture_check  # noqa: E402
import torture_client  # noqa: E402
import torture_damage  # noqa: E402

SLOTS = 8
SETTLE = 240  # seconds in which all must have ended once nothing is killed any more


def live(place, seed, process):
    """One process of clients, a thread each."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threads = []
    for actor in torture_client.actors(place, seed, process):
        threads.append(threading.Thread(target=guarded, args=(actor,)))
        threads[-1].start()
    for thread in threads:
        thread.join()


def guarded(actor):
    try:
        actor.run()
    except BaseException as e:  # a client that dies has seen nonsense
        actor.log('bad', op='client', text=f'{type(e).__name__}: {e} at line {e.__traceback__.tb_lineno}')
        raise


class Torture:
    def __init__(self, place, runner, seed):
        self.place, self.runner = place, runner
        self.rng = random.Random(f'{seed} torture')
        self.boss = torture_client.Actor(place, 'boss', seed)
        self.killed = dict.fromkeys(('awd', 'awd as it starts', 'runner', 'both', 'SIGTERM'), 0)
        self.runner_kills, self.runner_pid = [], 0
        self.awd, self.odd = None, []

    # ---- The daemon

    def start(self):
        with open(f'{self.place}/awd.log', 'a') as log:
            self.awd = subprocess.Popen(
                ['awd', '--dir', f'{self.place}/d', '--runner-path', self.runner, '--slots', str(SLOTS)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        with open(f'{self.place}/awd.pid', 'w') as f:
            print(self.awd.pid, file=f)

    def ready(self):
        """Waits until it answers, and learns who its runner is."""
        end = time.monotonic() + 120
        while time.monotonic() < end and self.awd.poll() is None:
            self.boss.drop()
            try:
                if (stats := self.boss.once('stats', {}, False)).get('err') == 0:
                    self.runner_pid = stats.get('runner_pid', 0) or self.runner_pid
                    return True
            except OSError:
                time.sleep(0.01)
        self.odd.append(f'awd does not start: {self.awd.poll()}')
        return False

    def end(self, how):
        """It must have lived until now."""
        if self.awd.poll() is not None:
            self.odd.append(f'awd has ended by itself: {self.awd.returncode}')
        else:
            self.awd.send_signal(how)
        try:
            self.awd.wait(60)
        except subprocess.TimeoutExpired:
            self.odd.append('awd does not go down')
            self.awd.kill()
            self.awd.wait()
        if self.awd.returncode not in (-how, 0):
            self.odd.append(f'awd, sent a {how}, has ended with {self.awd.returncode}')

    def kill_runner(self):
        """Only if that process still is our runner."""
        try:
            fd = os.pidfd_open(self.runner_pid) if self.runner_pid else -1
            command = open(f'/proc/{self.runner_pid}/cmdline').read()
        except OSError:
            return False
        before = time.time_ns() // 1000
        killed = fd >= 0 and 'aw-runner' in command and self.place in command
        if killed:
            signal.pidfd_send_signal(fd, signal.SIGKILL)
            self.runner_kills.append((before, time.time_ns() // 1000 + 2000000))
        os.close(fd)
        return killed

    # ---- What happens to it

    def harm(self):
        how = self.rng.choices(('awd', 'awd as it starts', 'runner', 'both', 'SIGTERM'), (60, 12, 12, 10, 6))[0]
        if how == 'awd as it starts':
            self.end(signal.SIGKILL)
            self.start()
            time.sleep(self.rng.random() * 0.06)
        elif not self.ready():
            return
        else:
            time.sleep(self.rng.random() ** 2 * 1.2)
        if how == 'runner':
            self.killed[how] += self.kill_runner()
            return
        self.killed[how] += 1
        first = self.rng.random() < 0.5
        if how == 'both' and first:
            self.kill_runner()
        self.end(signal.SIGTERM if how == 'SIGTERM' else signal.SIGKILL)
        if how == 'both' and not first:
            self.kill_runner()
        if self.rng.random() < 0.3:
            time.sleep(self.rng.random() * 0.4)
        self.start()

    def run(self, kills, seconds):
        self.start()
        if not self.ready():
            return
        for queue, fields in torture_client.QUEUES.items():
            # Asked again, after an answer that was lost, it is there already.
            self.boss.ask('queue-set', ('wrong-state',), queue=queue, create=True, **fields)
        clients = [multiprocessing.Process(target=live, args=(self.place, self.seed, i)) for i in range(3)]
        for client in clients:
            client.start()
        end = time.monotonic() + seconds if seconds else float('inf')
        while not self.odd and time.monotonic() < end and (not kills or sum(self.killed.values()) < kills):
            self.harm()
        if self.ready():
            self.settle(clients)
        for client in clients:
            client.join(10)
            if client.is_alive():
                client.kill()
                self.odd.append('a client does not end')

    def flag(self, name):
        open(f'{self.place}/{name}', 'w').close()

    def settle(self, clients):
        """Lets the workers end, all jobs, all sets, and then the readers."""
        self.flag('stop')
        self.until('the workers go on', lambda: len(self.workers_left()) == 0)
        self.boss.ask('queue-set', queue='paused', paused=0)
        if not self.until('not all jobs end', lambda: not self.unfinished()):
            for id in self.unfinished()[:20]:
                self.odd.append(f"{id}: {self.boss.ask('explain', ('expired',), id=id)}")
        for name in self.set_names():
            self.boss.ask('set-close', set=name)
        self.flag('final')
        self.until('the readers go on', lambda: not any(client.is_alive() for client in clients))

    def workers_left(self):
        return [name for name in os.listdir(self.place) if name.startswith('alive.w')]

    def until(self, what, done):
        end = time.monotonic() + SETTLE
        while not done():
            if time.monotonic() > end:
                self.odd.append(f'{what} after {SETTLE} s')
                return False
            time.sleep(0.1)
        return True

    # ---- What is there at the end

    def pages(self, op, what, start='before', **fields):
        got, next = [], {}
        while True:
            reply = self.boss.ask(op, limit=1000, **fields, **next)
            if reply['err']:
                return got
            got += reply.get(what, [])
            if not reply.get('next'):
                return got
            next = {start: reply['next']}

    def unfinished(self):
        return [job['id'] for job in self.pages('list', 'jobs', states=['scheduled', 'blocked', 'queued', 'running'])]

    def set_names(self):
        return [s['name'] for s in self.pages('set-list', 'sets', 'after')]

    def listed(self):
        return {job['id']: {'state': 'scheduled', **job} for job in self.pages('list', 'jobs')}

    def evidence(self):
        final = self.listed()
        # What was forgotten is looked up as well: it must not be there by another way.
        self.boss.others = list(final)
        for i in range(0, len(final), 5000):
            reply = self.boss.ask('status', ids=list(final)[i:i + 5000])
            self.boss.seen('status', reply.get('jobs', []))
        sets = {}
        for name in self.set_names():
            shown = self.boss.ask('set-show', set=name)['set']
            shown['members'] = [job['id'] for job in self.pages('set-members', 'jobs', 'after', set=name)]
            sets[name] = shown
        attempts = {}
        for id, job in final.items():
            if job.get('attempt', 0):
                attempts[id] = self.boss.ask('attempts', id=id).get('attempts', [])
        known = {'final': final, 'sets': sets, 'attempts': attempts, 'runner_kills': self.runner_kills}
        with open(f'{self.place}/end.json', 'w') as f:
            json.dump(known, f)
        return torture_check.Evidence(self.place, slots=SLOTS, **known)

    def starts_again(self, final):
        """Ends and starts cleanly, and then all is as it was."""
        self.end(signal.SIGTERM)
        self.start()
        if self.ready() and self.listed() != final:
            self.odd.append('after a restart the list is another one')

    def spool(self, final):
        """Files of what is kept alone."""
        numbers = {id.split('-')[1] for id in final}
        left = lambda: [f for f in os.listdir(f'{self.place}/d/spool') if f.split('.')[0] not in numbers]
        if not self.until('files are left in the spool', lambda: not left()):
            self.odd.append(f'{left()}')

    def down(self):
        """All of it, and nothing is left; --kill ends the runner, too."""
        self.boss.ask('shutdown', mode='kill')
        self.boss.drop()
        self.awd.wait(60)
        self.until('processes are left', lambda: not self.processes())
        self.odd += [open(f'/proc/{pid}/cmdline').read() for pid in self.processes()]

    def processes(self):
        got = []
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                command = open(f'/proc/{pid}/cmdline').read()
            except OSError:
                continue
            if self.place in command and 'torture.py' not in command:
                got.append(pid)
        return got


def report(checks):
    failed = 0
    for n, (sentence, findings) in enumerate(checks, 1):
        print(f"{'not ' if findings else ''}ok {n} - {sentence}")
        for finding in findings[:10]:
            print('#', finding.replace('\n', ' ')[:3000])
        if len(findings) > 10:
            print(f'# and {len(findings) - 10} more')
        failed += bool(findings)
    print(f'1..{len(checks)}', flush=True)
    return failed


def main():
    place, runner = sys.argv[1:]
    seed = os.environ.get('TORTURE_SEED') or str(time.time_ns() // 1000)
    kills = int(os.environ.get('TORTURE_KILLS') or 0)
    seconds = float(os.environ.get('TORTURE_SECONDS') or (0 if kills else 30))
    print(f'# TORTURE_SEED={seed}', flush=True)
    open(f'{place}/journal', 'w').close()
    t = Torture(place, runner, seed)
    t.seed = seed
    t.run(kills, seconds)
    ev = t.evidence()
    t.starts_again(ev.final)
    t.spool(ev.final)
    t.down()
    checks = [(sentence, list(check(ev))) for sentence, check in torture_check.CHECKS]
    clean = not any(findings for _, findings in checks)
    checks.append(('each check would have found what it is for', list(torture_damage.unnoticed(ev)) if clean else []))
    checks.append(('awd did not end by itself, started each time, and left nothing behind', t.odd))
    print('#', json.dumps({'killed': t.killed, 'jobs': len(ev.acks), 'runs': sum(map(len, ev.runs.values())),
                           'seen': sum(map(len, ev.seen.values())), 'completions': len(ev.told['place']),
                           'sets': len(ev.sets), 'forgotten': len(ev.forgotten)}))
    sys.exit(report(checks) > 0)


if __name__ == '__main__':
    main()

"""Compares what the clients of torture.py were told with what is there at the end, and with the
journal of the jobs. Each check is a generator of findings, as sentences."""
import collections
import glob
import json

from torture_client import FAMILIES, QUEUES

FINAL = {'succeeded', 'failed', 'cancelled'}
RANK = {'blocked': 0, 'running': 0, 'scheduled': 1, 'queued': 2}
EXPIRED = 11
Run = collections.namedtuple('Run', 'start end how pid claim')


class Evidence:
    """All that is known. `final` is the list at the end, by ID; `sets`, by name, what is shown of
    each with its members; `attempts`, by ID; `kills`, of runners: [before, after] in microseconds."""

    def __init__(self, place, final, sets, attempts, runner_kills, slots):
        self.final, self.sets, self.attempts = final, sets, attempts
        self.runner_kills, self.slots = runner_kills, slots
        self.told = collections.defaultdict(list)
        for path in sorted(glob.glob(f'{place}/told.*')):
            who = path.rsplit('.', 1)[1]
            for line in open(path, encoding='utf-8'):
                entry = json.loads(line)
                entry['who'] = who
                self.told[entry['k']].append(entry)
        self.specs = {e['name']: e for e in self.told['spec']}
        self.forgotten = {i for e in self.told['forget'] for i in e['ids']}
        self.hurried = {i for e in self.told['hurried'] for i in e['ids']}
        self.acks = collections.defaultdict(set)  # names, by ID
        self.spec_of = {}
        for e in self.told['ack']:
            for i, (name, id) in enumerate(zip(e['names'], e['ids'])):
                self.acks[id].add(name)
                if i not in e['dedup']:
                    self.spec_of[id] = self.specs[name]
        for e in sorted(self.told['retried'], key=lambda e: e['t1']):
            self.acks[e['new']].add(None)
        self.seen = collections.defaultdict(list)
        for e in self.told['seen']:
            self.seen[e['id']].append(e)
        self.ends = {id: e for id, all in self.seen.items() for e in all
                     if e['state'] in FINAL and 'created_us' in e}
        self.ends.update(final)
        self.retries_found()
        self.journal(place)

    def retries_found(self):
        """A retry has the specification of what it tries again, but for key, delay, parents."""
        for e in sorted(self.told['retried'], key=lambda e: e['t1']):
            spec = self.spec_of.get(e['id'])
            if spec:
                self.spec_of[e['new']] = {k: v for k, v in spec.items() if k not in (
                    'key', 'delay_ms', 'after', 'after_any', 'after_fail')}

    def journal(self, place):
        self.lines = []
        for line in open(f'{place}/journal'):
            what, id, attempt, claim, us, value = line.split()
            self.lines.append((what, id, int(attempt), int(claim), int(us), int(value)))
        self.runs = collections.defaultdict(dict)  # by ID and attempt
        for what, id, attempt, claim, us, value in self.lines:
            if what == 'S':
                self.runs[id].setdefault(attempt, Run(us, None, None, value, claim))
            elif attempt in self.runs[id]:
                self.runs[id][attempt] = self.runs[id][attempt]._replace(end=us, how=value)


def nothing_odd(ev):
    for e in ev.told['bad']:
        yield f"{e['who']}: {e['op']}: {e['text']} {e.get('fields', '')}"


def nothing_lost(ev):
    for id, names in ev.acks.items():
        if id not in ev.final:
            if id not in ev.forgotten:
                yield f'{id} was acknowledged ({names}) and is not there'
        elif None not in names and ev.final[id].get('name') not in names:
            # By its key: acknowledged to others for a job of theirs.
            key = ev.specs.get(ev.final[id].get('name'), {}).get('key')
            if not key or {ev.specs[n].get('key') for n in names} != {key}:
                yield f"{id} is {ev.final[id].get('name')}, acknowledged for {names}"
    acked_at = {}
    for e in ev.told['ack']:
        for id in e['ids']:
            acked_at[id] = min(e['t1'], acked_at.get(id, e['t1']))
    for e in ev.told['missing']:
        if e['err'] == EXPIRED and e['id'] not in ev.forgotten:
            yield f"{e['id']}: {e['op']} said that it has expired, and nobody had it forgotten"
        if e['err'] != EXPIRED and e['t0'] > acked_at.get(e['id'], e['t0']):
            yield f"{e['id']}: {e['op']} said {e['err']} of an acknowledged job"


def nothing_twice(ev):
    makers = collections.defaultdict(list)
    for id, job in ev.final.items():
        if id not in ev.acks:
            yield f"{id} ({job.get('name')}, {job['state']}) is there, and nobody was told of it"
        if 'retry_of' not in job:
            makers[job.get('name')].append(id)
    for name, ids in makers.items():
        if len(ids) > 1:
            yield f'{name} was submitted once and is there as {ids}'
    names = collections.Counter()
    for e in ev.told['ack']:
        for i, name in enumerate(e['names']):
            names[name] += i not in e['dedup']
    for name, n in names.items():
        if n > 1:
            yield f'{name} was acknowledged {n} times'
    for e in ev.told['refused']:
        for name in e['names']:
            if name in makers:
                yield f"{name} was refused ({e['error']}) and is there as {makers[name]}"
    news = collections.Counter(e['new'] for e in ev.told['retried'])
    for id, n in news.items():
        if n > 1:
            yield f'{id} is the new future of {n} retries'
    for e in ev.told['retried']:
        if e['new'] in ev.final and ev.final[e['new']].get('retry_of') != e['id']:
            yield f"{e['new']} is a retry of {ev.final[e['new']].get('retry_of')}, not of {e['id']}"


def one_for_each_key(ev):
    ids, made = collections.defaultdict(set), collections.Counter()
    for e in ev.told['ack']:
        for i, (name, id) in enumerate(zip(e['names'], e['ids'])):
            key = ev.specs[name].get('key')
            if key and 'cache_ttl_ms' not in ev.specs[name]:
                ids[key].add(id)
                made[key] += i not in e['dedup']
    for key, all in ids.items():
        if all & ev.forgotten:
            continue
        if len(all) > 1:
            yield f'{key} has led to {all}'
        if made[key] != 1:
            yield f'{key} was new {made[key]} times'


def ran_as_claimed(ev):
    """Each attempt ran once, under a claim of its own, one after the other, and not after its end."""
    claims, attempts = {}, set()
    for what, id, attempt, claim, us, _ in ev.lines:
        if what != 'S':
            continue
        if claims.setdefault(claim, (id, attempt)) != (id, attempt):
            yield f'claim {claim} is that of {claims[claim]} and of {(id, attempt)}'
        if (id, attempt) in attempts:
            yield f'{id} attempt {attempt} was started twice'
        attempts.add((id, attempt))
        if id not in ev.ends and id not in ev.acks:
            yield f'{id} ran, and nobody knows it'
        if id in ev.ends and attempt > ev.ends[id].get('attempt', 0):
            yield f"{id} has run attempt {attempt} of {ev.ends[id].get('attempt', 0)}"
    for id, runs in ev.runs.items():
        order = sorted(runs)
        for a, b in zip(order, order[1:]):
            if runs[b].start < (runs[a].end or runs[a].start):
                yield f'{id} ran attempts {a} and {b} at once: {runs[a]} {runs[b]}'
    told_at = {}
    for id, all in ev.seen.items():
        for e in all:
            if e['state'] in FINAL:
                told_at[id] = min(e['t1'], told_at.get(id, e['t1']))
    for what, id, attempt, _, us, _ in ev.lines:
        if us > told_at.get(id, float('inf')) * 1e6:
            yield f'{id} attempt {attempt} wrote {what} after its end was told'


def interrupted(ev, attempt):
    """Whether a runner was killed while it ran."""
    return any(attempt.get('started_us', 0) <= after and before <= attempt.get('ended_us', 0)
               for before, after in ev.runner_kills)


def attempts_as_asked(ev):
    for id, all in ev.attempts.items():
        spec, job = ev.spec_of.get(id, {}), ev.final[id]
        runs = ev.runs.get(id, {})
        numbers = [a['attempt'] for a in all]
        if numbers != list(range(1, job.get('attempt', 0) + 1)):
            yield f"{id} has attempts {numbers}, and says {job.get('attempt', 0)}"
        again = spec.get('on_interrupt') == 'retry'
        counted = [a for a in all if not again or a.get('class', 'none') != 'interrupted']
        if len(counted) > spec.get('max_attempts', 1):
            yield f"{id} was tried {len(counted)} times of {spec.get('max_attempts', 1)}: {all}"
        for i, a in enumerate(all):
            run, cls = runs.get(a['attempt']), a.get('class', 'none')
            if a.get('running'):
                yield f'{id} has ended and its attempt {a} runs'
            if cls in ('spawn', 'connection', 'http', 'tls', 'output-limit'):
                yield f'{id} failed as {cls}: {a}'
            if cls == 'interrupted' and not interrupted(ev, a):
                yield f'{id} attempt {a} was interrupted though its runner lived'
            if cls == 'interrupted' and i + 1 < len(all) and not again and 'max_attempts' not in spec:
                yield f'{id} was interrupted and tried again unasked: {all}'
            if i and all[i - 1].get('ended_us', 0) > a.get('started_us', 0) > 0:
                yield f'{id} attempt {a} began before {all[i - 1]} had ended'
            if cls == 'exit' and (not run or run.how != a.get('exit_code')):
                yield f'{id} attempt {a} is not what the journal says: {run}'


def states_along_the_table(ev):
    for id, all in ev.seen.items():
        before = sorted(all, key=lambda e: e['t1'])
        i, top, end = 0, None, None
        for e in sorted(all, key=lambda e: e['t0']):
            while i < len(before) and before[i]['t1'] < e['t0']:
                was, i = before[i], i + 1
                if was['state'] in FINAL:
                    end = was
                elif 'created_us' in was:
                    top = max((was.get('attempt', 0), RANK[was['state']], was['state']), top or (0, 0, ''))
            if end and e['state'] != end['state']:
                yield f"{id} had ended as {end['state']} and was {e['state']} later: {end} {e}"
            if not top or 'created_us' not in e:
                continue
            now = (e.get('attempt', 0), RANK.get(e['state'], 3))
            # An attempt that was given back before it began does not count.
            if now < top[:2] and not (top[2] == 'running' and now[0] == top[0] - 1 and now[1] >= 2):
                yield f'{id} was {top} and is {now} later: {e}'


def ends_never_change(ev):
    for id, all in ev.seen.items():
        if id not in ev.ends:
            continue
        end = ev.ends[id]
        for e in all:
            for fact in ('state', 'class', 'exit_code', 'signal', 'attempt', 'created_us', 'started_us',
                         'ended_us', 'name', 'stdout_size'):
                # What some operations tell, and of those whose record is gone, is less.
                partial = 'created_us' not in e and fact != 'state'
                if e['state'] in FINAL and not partial and e.get(fact) != end.get(fact):
                    yield f'{id}: {fact} was {e.get(fact)} by {e["op"]} and is {end.get(fact)}'
            if 'created_us' in e and e['created_us'] != end.get('created_us'):
                yield f'{id} was created twice: {e}'


def success_is_true(ev):
    for id, end in ev.ends.items():
        spec = ev.spec_of.get(id)
        if end['state'] == 'succeeded' and spec and not spec.get('type'):
            run = ev.runs.get(id, {}).get(end.get('attempt', 0))
            if not run or run.how != 0:
                yield f'{id} is succeeded, and the journal says {run}'
        if end['state'] not in FINAL:
            yield f"{id} is {end['state']} at the end"
    for e in ev.told['output']:
        id, spec = e['id'], ev.spec_of.get(e['id'])
        end = ev.ends.get(id, {})
        if not spec or spec.get('type') or end.get('state') != 'succeeded':
            continue
        head = f"{id} {end['attempt']}"
        if e['head'] != head[:e['n']] or e['size'] != len(head) + 1 + int(spec['argv'][2]):
            yield f"{id} has printed {e}, not {head} and {spec['argv'][2]} bytes"


def waits_are_true(ev):
    for e in ev.told['waited']:
        ended = [s for s, err in zip(e['states'], e['errs']) if err or s in FINAL]
        failed = [s for s, err in zip(e['states'], e['errs']) if err or s in ('failed', 'cancelled')]
        if (len(ended), len(failed)) != (e['n_ended'], e['n_failed']):
            yield f'counts of a wait: {e}'
        if len(ended) < (e['n'] or len(e['ids'])) and not (e['first_error'] and failed):
            yield f'a wait was done too early: {e}'


def sets_are_delivered(ev):
    """In one order that is the same for all, without gaps, each once by place."""
    members, maybe = collections.defaultdict(set), collections.defaultdict(set)
    for e in ev.told['ack']:
        members[e['set']].update(e['ids'])
    for kind, into in (('added', members), ('not-added', maybe)):
        for e in ev.told[kind]:
            into[e['set']].update(e['ids'])
    orders = collections.defaultdict(lambda: collections.defaultdict(list))
    for e in ev.told['place']:
        orders[e['set']][e['who']].append(e)
    for name, shown in ev.sets.items():
        got, order = set(shown['members']), None
        if not members[name] <= got <= members[name] | maybe[name]:
            yield f'{name} has {got ^ members[name]} more or less than was added'
        if len(got) != len(shown['members']):
            yield f'{name} has members twice'
        for who, entries in sorted(orders[name].items(), key=lambda i: i[0], reverse=True):
            yield from delivered(ev, name, who, entries, got)
            # The last delivery of each place, as cursor readers may get one again.
            by_place = {e['place']: e['id'] for e in entries}
            order = order or by_place
            if by_place != order:
                yield f'{name}: {who} and another one saw different orders'
        yield from counted(ev, name, shown, got)
        readers = set(orders[name])
        if name.split('-')[0] in FAMILIES and got and len(readers) != 3:
            yield f'{name} was read by {readers}'


def delivered(ev, name, who, entries, members):
    places = [e['place'] for e in entries]
    if who.startswith('p') and places != list(range(1, len(members) + 1)):
        yield f'{name}: {who} got places {places[:50]}... for {len(members)} members'
    if set(places) != set(range(1, len(members) + 1)) or {e['id'] for e in entries} != members:
        yield f"{name}: {who} has not got {members - {e['id'] for e in entries}}"
    seen = {}
    for e in entries:
        if seen.setdefault(e['place'], e['id']) != e['id']:
            yield f"{name}: place {e['place']} was {seen[e['place']]} and {e['id']} for {who}"
        end = ev.ends.get(e['id'])
        if e['state'] not in FINAL and not e['err']:
            yield f'{name}: {who} got a member that has not ended: {e}'
        if end and (e['state'], e['cls']) != (end['state'], end.get('class', 'none')):
            yield f"{name}: {who} got {e['id']} as {e['state']} {e['cls']}; it is {end}"


def counted(ev, name, shown, members):
    failed = sum(ev.ends[id]['state'] != 'succeeded' for id in members if id in ev.ends)
    unknown = sum(id not in ev.ends for id in members)
    if (shown.get('n_members', 0), shown.get('n_ended', 0)) != (len(members), len(members)):
        yield f'{name} has {len(members)} members and says {shown}'
    if not failed <= shown.get('n_failed', 0) <= failed + unknown:
        yield f'{name} has {failed} failed members and says {shown}'


def parents_first(ev):
    for id, spec in ev.spec_of.items():
        child = ev.ends.get(id)
        wants = [(kind, p) for kind in ('after', 'after_any', 'after_fail') for p in spec.get(kind, [])]
        if not child or not wants:
            if child and child.get('class') == 'dependency':
                yield f'{id} has no parents and failed for one: {child}'
            continue
        states = [(kind, p, ev.ends[p]) for kind, p in wants if p in ev.ends]
        wrong = [p for kind, p, end in states if kind == 'after' and end['state'] != 'succeeded'
                 or kind == 'after_fail' and end['state'] == 'succeeded']
        if wrong and (ev.runs.get(id) or child.get('attempt', 0) or child['state'] == 'succeeded' or
                      child.get('class', 'none') not in ('dependency', 'expired-in-queue', 'timeout', 'none')):
            yield f'{id} went on in spite of {wrong}: {child}'
        if child.get('class') == 'dependency' and not wrong and len(states) == len(wants):
            yield f'{id} failed for a parent, and all are well: {wants}'
        for _, p, end in states:
            if 0 < child.get('started_us', 0) < end['ended_us']:
                yield f"{id} began at {child['started_us']}, before {p} had ended at {end['ended_us']}"
            last = [run.end for run in ev.runs.get(p, {}).values() if run.end]
            first = [run.start for run in ev.runs.get(id, {}).values()]
            if last and first and min(first) < max(last):
                yield f'{id} ran while {p} did'


def delays_kept(ev):
    for id, all in ev.attempts.items():
        delay = ev.spec_of.get(id, {}).get('delay_ms', 0)
        if delay and id not in ev.hurried and all and all[0].get('started_us', 0):
            if all[0]['started_us'] < ev.final[id]['created_us'] + delay * 1000:
                yield f'{id} began {all[0]} before its {delay} ms were over: {ev.final[id]}'


def limits_kept(ev):
    """What was killed has no end in the journal, and counts for its start alone."""
    limits = {name: q.get('limit') or q.get('slots') for name, q in QUEUES.items()}
    events = []
    for id, runs in ev.runs.items():
        queue = ev.spec_of.get(id, {}).get('queue', 'default')
        pools = [queue] if limits.get(queue) else []
        if 'slots' not in QUEUES.get(queue, {}):
            pools.append('shared')
        for run in runs.values():
            for pool in pools:
                events += [(run.start, 1, pool, id), (run.end or run.start, -1, pool, id)]
    limits['shared'] = ev.slots
    # Of the same microsecond the ends first, but not before its own start.
    events.sort(key=lambda e: (e[0], e[1]))
    now = collections.defaultdict(collections.Counter)
    for us, step, pool, id in events:
        now[pool][id] += step
        running = [id for id, n in now[pool].items() if n > 0]
        if step > 0 and len(running) > limits[pool]:
            yield f'{len(running)} of {limits[pool]} in {pool} at {us}: {running}'
        if not now[pool][id]:
            del now[pool][id]


CHECKS = (
    ('nobody was told what cannot be', nothing_odd),
    ('each acknowledged job is there', nothing_lost),
    ('none is there twice, or without having been acknowledged', nothing_twice),
    ('a key has led to one job', one_for_each_key),
    ('each attempt ran once, under its claim, and not after its end', ran_as_claimed),
    ('attempts were made as they were asked for', attempts_as_asked),
    ('states moved along the table', states_along_the_table),
    ('how a job ended did not change', ends_never_change),
    ('success was told of what has succeeded', success_is_true),
    ('waits were over when they should be', waits_are_true),
    ('completions were delivered to each reader, in one order', sets_are_delivered),
    ('parents came first', parents_first),
    ('delays were kept', delays_kept),
    ('queues ran no more at once than they may', limits_kept),
)

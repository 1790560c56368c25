"""Shows that the checks of torture_check.py find something: each damage here makes what is known wrong
in one place, and its check must notice. A damage that finds nothing to damage returns false."""
import collections
import pickle

import torture_check as check


def first(items):
    return next(iter(items), None)


def jobs(ev, *states, exec=True):
    return [id for id, job in ev.final.items() if job['state'] in states and id in ev.spec_of
            and (not exec or not ev.spec_of[id].get('type')) and id not in ev.forgotten]


def odd(ev):
    ev.told['bad'].append({'who': 'w', 'op': 'wait', 'text': 'nonsense'})
    return True


def lost(ev):
    id = first(jobs(ev, 'succeeded'))
    return id and ev.final.pop(id)


def doubled(ev):
    id = first(jobs(ev, 'succeeded'))
    if id:
        ev.final['other-1'] = ev.final[id]
    return id


def unacknowledged_retry(ev):
    e = first(ev.told['retried'])
    return e and (e['new'] in ev.final) and ev.acks.pop(e['new'])


def second_for_a_key(ev):
    ids = collections.defaultdict(set)
    for e in ev.told['ack']:
        for name, id in zip(e['names'], e['ids']):
            ids[ev.specs[name].get('key')].add(id)
    for e in ev.told['ack']:
        for i in e['dedup']:
            spec = ev.specs[e['names'][i]]
            # Of a key whose job was forgotten nothing is said.
            if 'cache_ttl_ms' not in spec and not ids[spec.get('key')] & ev.forgotten:
                e['ids'][i] = 'other-1'
                return True


def started_twice(ev):
    line = first(line for line in ev.lines if line[0] == 'S')
    return line and not ev.lines.append(line)


def ran_after_its_end(ev):
    id = first(jobs(ev, 'succeeded'))
    return id and not ev.lines.append(('E', id, 1, 1, 1 << 60, 0))


def one_attempt_more(ev):
    id = first(i for i in jobs(ev, 'succeeded', 'failed') if ev.attempts.get(i))
    if id:
        ev.attempts[id].append({**ev.attempts[id][-1], 'attempt': len(ev.attempts[id]) + 1})
    return id


def interrupted_by_nobody(ev):
    ev.runner_kills.clear()
    return any(a.get('class') == 'interrupted' for all in ev.attempts.values() for a in all)


def back_to_the_queue(ev):
    id = first(jobs(ev, 'succeeded'))
    return id and not ev.seen[id].append({**ev.final[id], 'state': 'queued', 't0': 1e9, 't1': 1e9, 'op': 'status'})


def other_end(ev):
    id = first(i for i in jobs(ev, 'failed') if ev.seen[i])
    if id:
        ev.ends[id] = {**ev.ends[id], 'exit_code': 77}
    return id


def not_so_successful(ev):
    id = first(jobs(ev, 'succeeded'))
    if id:
        attempt = ev.final[id]['attempt']
        ev.runs[id][attempt] = ev.runs[id][attempt]._replace(how=1)
    return id


def miscounted(ev):
    e = first(ev.told['waited'])
    if e:
        e['n_ended'] += 1
    return e


def by_place(ev):
    return [e for e in ev.told['place'] if e['who'].startswith('p')]


def not_delivered(ev):
    e = first(by_place(ev))
    return e and not ev.told['place'].remove(e)


def delivered_twice(ev):
    e = first(by_place(ev))
    return e and not ev.told['place'].append(e)


def other_order(ev):
    a = first(by_place(ev))
    b = a and first(e for e in by_place(ev) if e['set'] == a['set'] and e['who'] == a['who'] and e['id'] != a['id'])
    if b:
        for what in ('id', 'state', 'cls', 'err'):
            a[what], b[what] = b[what], a[what]
    return b


def failures_forgotten(ev):
    shown = first(s for s in ev.sets.values() if s.get('n_failed'))
    if shown:
        shown['n_failed'] -= 1
    return shown and all(id in ev.ends for id in shown['members'])


def parent_failed(ev):
    for id in jobs(ev, 'succeeded', exec=False):
        for parent in ev.spec_of[id].get('after', []):
            if parent in ev.ends:
                ev.ends[parent] = {**ev.ends[parent], 'state': 'failed'}
                return True


def too_early(ev):
    for id, all in ev.attempts.items():
        if ev.spec_of.get(id, {}).get('delay_ms') and id not in ev.hurried:
            all[0]['started_us'] = ev.final[id]['created_us'] + 1
            return True


def at_once(ev):
    runs = sorted((run.start, id, attempt) for id, all in ev.runs.items() for attempt, run in all.items()
                  if ev.spec_of.get(id, {}).get('queue') == 'one' and run.end)
    if len(runs) > 1:
        _, id, attempt = runs[0]
        ev.runs[id][attempt] = ev.runs[id][attempt]._replace(end=runs[-1][0] + 1)
        return len({id for _, id, _ in runs}) > 1


DAMAGES = (
    (check.nothing_odd, odd), (check.nothing_lost, lost), (check.nothing_twice, doubled),
    (check.nothing_twice, unacknowledged_retry), (check.one_for_each_key, second_for_a_key),
    (check.ran_as_claimed, started_twice), (check.ran_as_claimed, ran_after_its_end),
    (check.attempts_as_asked, one_attempt_more), (check.attempts_as_asked, interrupted_by_nobody),
    (check.states_along_the_table, back_to_the_queue), (check.ends_never_change, other_end),
    (check.success_is_true, not_so_successful), (check.waits_are_true, miscounted),
    (check.sets_are_delivered, not_delivered), (check.sets_are_delivered, delivered_twice),
    (check.sets_are_delivered, other_order), (check.sets_are_delivered, failures_forgotten),
    (check.parents_first, parent_failed), (check.delays_kept, too_early), (check.limits_kept, at_once),
)


def unnoticed(ev):
    """The damages that their check does not find in what is known, which is left as it is."""
    known = pickle.dumps(ev)
    for find, damage in DAMAGES:
        copy = pickle.loads(known)
        if damage(copy) and not list(find(copy)):
            yield f'{find.__name__} does not find {damage.__name__}'

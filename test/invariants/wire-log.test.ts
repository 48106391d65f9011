import { expect, it } from 'vitest';
import { type CopyEnd, WireLog } from '../soak/wire-log.ts';

interface Sent {
  readonly end?: CopyEnd;
  readonly marked?: boolean;
  readonly id?: string;
  readonly bodyId?: string;
  readonly body?: string;
}

/** One webhook, copy after copy; the last one may stay open. */
function logOf(...copies: readonly Sent[]): WireLog {
  const log = new WireLog('ok');
  for (const { end, marked = false, id = 'evt_1', bodyId = id, body = 'x' } of copies) {
    const over = log.arrive({ n: 1, id, bodyId, body: Buffer.from(body), marked });
    if (end) over(end);
  }
  return log;
}

it.each<[string, Sent[]]>([
  ['a retry after a refusal', [{ end: 'refused' }, { end: 'accepted' }]],
  [
    'a marked copy after an unknown outcome',
    [{ end: 'unknown' }, { end: 'accepted', marked: true }],
  ],
  [
    'marks from then on',
    [{ end: 'unknown' }, { end: 'refused', marked: true }, { end: 'accepted', marked: true }],
  ],
])('has nothing against %s', (_, copies) => {
  expect(logOf(...copies).violations).toEqual([]);
  expect(logOf(...copies).unexplained).toBe(0);
});

it.each<[string, Sent[], string]>([
  ['a second copy after a 2xx', [{ end: 'accepted' }, { end: 'accepted' }], 'again after a 2xx'],
  ['no mark after an unknown outcome', [{ end: 'unknown' }, { end: 'accepted' }], 'unmarked'],
  ['two copies at once', [{}, { end: 'accepted' }], 'twice at once'],
  ['another id', [{ end: 'refused' }, { end: 'accepted', id: 'evt_2' }], 'not as evt_1'],
  ['an id that is not that of the body', [{ end: 'accepted', bodyId: 'evt_2' }], 'of evt_2'],
  ['another body', [{ end: 'refused' }, { end: 'accepted', body: 'y' }], 'another body'],
])('blames %s', (_, copies, what) => {
  expect(logOf(...copies).violations).toEqual([expect.stringContaining(what)]);
});

it('counts marks that nothing here explains', () => {
  expect(logOf({ end: 'accepted' }, { end: 'accepted', marked: true }).unexplained).toBe(1);
});

import { beforeAll, describe, expect, it } from 'vitest';
import { sharesOf } from '../../functions/inbox/backlog.ts';
import { costOf } from '../support/cost.ts';
import { scanTable } from '../support/invariants/snapshot.ts';
import type { Ask, RoomBody } from '../support/room-client.ts';
import { type InboxWorld, inboxClient, inboxWorld, newSource, push, work } from './inbox-house.ts';

let world: InboxWorld;
let ask: Ask;
beforeAll(async () => {
  world = await inboxWorld();
  ({ ask } = inboxClient(world));
});

/** How many each share of a source counts, the largest first. */
async function countsOf(sourceId: string): Promise<number[]> {
  const items = await scanTable(world.client, world.tables.inbox);
  const shares = items.filter(({ pk, sk }) => sk === 'BACKLOG' && String(pk).startsWith(sourceId));
  return shares.map(({ open }) => Number(open)).sort((a, b) => b - a);
}

describe('the shares of a backlog', () => {
  it.each([
    { cap: 1, count: 1 },
    { cap: 63, count: 1 },
    { cap: 64, count: 2 },
    { cap: 100, count: 3 },
    { cap: 1_000, count: 16 },
    { cap: 10_000_000, count: 16 },
  ])('have the room of it together: $cap in $count', ({ cap, count }) => {
    const shares = sharesOf('src_1', cap);
    expect(shares).toHaveLength(count);
    expect(shares.reduce((sum, it) => sum + it.cap, 0)).toBe(cap);
    expect(new Set(shares.map((it) => it.counter)).size).toBe(count);
    expect(shares[0]?.counter).toBe('src_1');
  });
});

/** So many are open in the shares of a source, the first one first. */
async function setOpen(sourceId: string, open: readonly number[]): Promise<void> {
  const keyOf = (index: number) => (index ? `${sourceId}#${index}` : sourceId);
  const items = open.map((it, index) => ({ pk: keyOf(index), sk: 'BACKLOG', v: 1, open: it }));
  for (const item of items) await world.db.commit([{ kind: 'put', table: 'inbox', item }]);
}

/** How many of so many webhooks are taken in, one after another. */
async function takenOf(source: RoomBody, count: number): Promise<number> {
  let taken = 0;
  for (let n = 0; n < count; n += 1) {
    const { status } = await push(ask, source, `{"t":"${world.ids.next('req')}"}`);
    if (status === 202) taken += 1;
  }
  return taken;
}

describe('a source with a large backlog', () => {
  it('counts it in several items, and takes as much as it may and no more', async () => {
    const source = await newSource(ask, { maxBacklog: 70, overflow: 'reject' });
    const statuses: number[] = [];
    for (let n = 0; n < 72; n += 1) statuses.push((await push(ask, source, `{"n":${n}}`)).status);
    expect(statuses).toEqual([...Array(70).fill(202), 429, 429]);
    expect(await countsOf(source.id)).toEqual([35, 35]);
    expect((await ask(`GET /v1/sources/${source.id}`)).body).toMatchObject({ backlog: 70 });

    await work(world);
    expect(await countsOf(source.id)).toEqual([0, 0]);
    expect((await push(ask, source, '{"n":71}')).status).toBe(202);
  });

  it('takes no more than it may of many at once', async () => {
    const source = await newSource(ask, { maxBacklog: 64, overflow: 'reject' });
    const sent = Array.from({ length: 90 }, (_, n) => push(ask, source, `{"n":${n}}`));
    const answers = await Promise.all(sent);
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(64);
  });

  it('takes all of many at once while there is room, though most shares are full', async () => {
    const source = await newSource(ask, { maxBacklog: 512, overflow: 'reject' });
    await setOpen(source.id, [...Array(13).fill(32), 15, 15, 15]);
    const sent = Array.from({ length: 30 }, (_, n) => push(ask, source, `{"n":${n}}`));
    const statuses = (await Promise.all(sent)).map(({ status }) => status);
    expect(statuses).toEqual(Array(30).fill(202));
  });

  it('looks at one share only before it stores a long body there', async () => {
    const source = await newSource(ask, { maxBacklog: 640, overflow: 'reject' });
    const long = (n: number) => JSON.stringify({ n, text: 'x'.repeat(2_000) });
    await push(ask, source, long(0));
    for (let n = 1; n < 5; n += 1) {
      // The body, its receipt and the count.
      expect(await costOf(world, () => push(ask, source, long(n)))).toBe('2 RRU, 7 + 2 WRU');
    }
  });

  it('reads all shares once when it is full', async () => {
    const source = await newSource(ask, { maxBacklog: 512, overflow: 'reject' });
    await setOpen(source.id, Array(16).fill(32));
    const refused = async (text: string) =>
      expect((await push(ask, source, text)).status).toBe(429);
    await refused('{"warm":1}');
    expect(await costOf(world, () => refused('{"n":1}'))).toBe('16 RRU, 0 + 0 WRU');
    const long = JSON.stringify({ text: 'x'.repeat(2_000) });
    expect(await costOf(world, () => refused(long))).toBe('17 RRU, 0 + 0 WRU');
  });

  it('costs no more than one item while there is room', async () => {
    const source = await newSource(ask, { maxBacklog: 640, overflow: 'reject' });
    await push(ask, source, '{"warm":1}');
    for (let n = 0; n < 5; n += 1) {
      const one = () => push(ask, source, `{"n":${n}}`);
      expect(await costOf(world, one)).toBe('0 RRU, 4 + 2 WRU');
    }
    expect((await countsOf(source.id)).length).toBeGreaterThan(1);
  });
});

describe('a source whose backlog was made smaller', () => {
  async function lowered(changes: object, terms: object = {}): Promise<RoomBody> {
    const source = await newSource(ask, { maxBacklog: 512, overflow: 'reject', ...terms });
    const changed = await ask(`PATCH /v1/sources/${source.id}`, { body: changes });
    expect(changed.status).toBe(200);
    return source;
  }

  it.each([
    ['its maxBacklog', { maxBacklog: 40 }, {}],
    ['what it does above that', { overflow: 'reject' }, { maxBacklog: 40, overflow: 'accept' }],
  ])('by %s counts what was open before', async (_what, changes, terms) => {
    const source = await lowered(changes, terms);
    await setOpen(source.id, Array(16).fill(12));
    expect(await takenOf(source, 5)).toBe(0);
    await setOpen(source.id, Array(16).fill(0));
    expect(await takenOf(source, 42)).toBe(40);
  });

  it('takes no more than it may when that is less than it has shares', async () => {
    expect(await takenOf(await lowered({ maxBacklog: 3 }), 20)).toBe(3);
  });

  it('still knows its shares after it was not counted for a time, and after it grew', async () => {
    const source = await lowered({ maxBacklog: null });
    for (const maxBacklog of [70, 40]) {
      await ask(`PATCH /v1/sources/${source.id}`, { body: { maxBacklog } });
    }
    await setOpen(source.id, [0, ...Array(15).fill(12)]);
    expect(await takenOf(source, 5)).toBe(2);
  });
});

describe('the webhooks of a tenant with a key', () => {
  it('are all counted after the operator has made their backlog smaller', async () => {
    const { ask: own, tenantId } = inboxClient({ ...world, apiBacklogMax: 40 });
    await setOpen(`${tenantId}#api`, Array(16).fill(12));
    const headers = { 'idempotency-key': 'one' };
    expect((await own('POST /v1/webhooks', { body: { n: 1 }, headers })).status).toBe(429);
  });
});

import { describe, expect, it } from 'vitest';
import { eventKey } from '../../functions/events/event.store.ts';
import { receiptKey } from '../../functions/inbox/receipt.store.ts';
import { repairDue, type TableRepair } from '../../functions/operations/repair-due.ts';
import { repairInbox } from '../../functions/operations/repair-inbox.ts';
import { DAY_MS, MINUTE_MS } from '../../functions/shared/units.ts';
import type { Item, Key, TableName } from '../../functions/shared/world.ts';
import { eventsOf, inboxClient, inboxWorld, newSource, push, work } from '../inbox/inbox-house.ts';
import { checkInbox } from '../support/invariants/inbox.ts';
import { scanPages, scanTable } from '../support/invariants/snapshot.ts';

type House = Awaited<ReturnType<typeof house>>;

/** Tables of its own, because a repair is about all that is in them. */
async function house(terms: object = {}) {
  const world = await inboxWorld();
  const { ask, tenantId } = inboxClient(world);
  const source = await newSource(ask, terms);
  const mends: string[] = [];
  const losses: string[] = [];
  const repair = (dryRun = false): TableRepair => ({
    dryRun,
    scan: (table: TableName) => scanPages(world.client, world.tables[table]),
    mended: (what, id) => mends.push(`${what} ${id}`),
    lost: ({ id, detail }) => losses.push(`${id}: ${detail}`),
  });
  const put = (table: TableName, key: Key, item: Item) =>
    world.db.commit([{ kind: 'put', table, item: { ...item, ...key } }]);
  const lose = (table: TableName, key: Key) => world.db.commit([{ kind: 'remove', table, key }]);
  return { world, ask, tenantId, source, mends, losses, repair, put, lose };
}

/** A webhook that went on as an event, and how its receipt was before. */
async function forwarded({ world, ask, tenantId, source }: House, text = '{"n":1}') {
  const { body } = await push(ask, source, text);
  const key = receiptKey(tenantId, String(body.id));
  const before = (await world.db.get('inbox', key)) ?? {};
  world.clock.advance(1_234);
  await work(world);
  const eventId = (await eventsOf(world, tenantId)).at(-1)?.id ?? '';
  const event = eventKey(tenantId, eventId);
  return { id: String(body.id), key, before, eventId, event };
}

async function violations({ world }: House): Promise<string[]> {
  const tables = ['inbox', 'outbox'] as const;
  const [inbox = [], outbox = []] = await Promise.all(
    tables.map((it) => scanTable(world.client, world.tables[it])),
  );
  return checkInbox({ inbox, outbox });
}

describe('webhooks that were torn from their events', () => {
  it.each([
    ['short', '{"n":1}'],
    ['long', JSON.stringify('x'.repeat(9_000))],
    ['too long for an event', JSON.stringify('x'.repeat(90_000))],
  ])('get a lost event again, the same: %s', async (_name, text) => {
    const at = await house();
    const { eventId, event } = await forwarded(at, text);
    const was = await at.world.db.get('outbox', event);
    await at.lose('outbox', event);
    at.world.clock.advance(MINUTE_MS);
    expect(await violations(at)).not.toEqual([]);

    await repairInbox(at.world, at.repair(true));
    expect(await at.world.db.get('outbox', event)).toBeUndefined();
    await repairInbox(at.world, at.repair());
    await repairInbox(at.world, at.repair());

    expect(at.mends).toEqual(Array(2).fill(`event of a webhook ${eventId}`));
    expect(at.losses).toEqual([]);
    expect(await at.world.db.get('outbox', event)).toEqual(was);
    expect(await violations(at)).toEqual([]);
  });

  it('are told of when the body is lost as well', async () => {
    const at = await house();
    const { id, key, eventId, event } = await forwarded(at, JSON.stringify('x'.repeat(9_000)));
    const sha = (await at.world.db.get('inbox', key))?.sha;
    await at.lose('outbox', event);
    await at.lose('inbox', { pk: key.pk, sk: `BODY#${sha}#0` });
    await repairInbox(at.world, at.repair());
    expect(at.losses).toEqual([`${id}: ${eventId}, as which it went on, is lost, and its body`]);
    expect(at.mends).toEqual([]);
  });

  it('are left alone when events of their age are gone in any case', async () => {
    const at = await house();
    const { event } = await forwarded(at);
    await at.lose('outbox', event);
    at.world.clock.advance(29 * DAY_MS);
    await repairInbox(at.world, at.repair());
    expect([at.mends, at.losses]).toEqual([[], []]);
  });

  it('are told of when they are open, and have gone on', async () => {
    const at = await house();
    const { id, key, before, eventId } = await forwarded(at);
    await at.put('inbox', key, before);
    await push(at.ask, at.source, '{"n":2}');
    await repairInbox(at.world, at.repair());
    expect(at.losses).toEqual([
      `${id}: it is open, and ${eventId} is of it: it goes on again, as another event`,
    ]);
  });

  it('are not told of when somebody asked to send them again', async () => {
    const at = await house();
    const { id } = await forwarded(at);
    const { status } = await at.ask(`POST /v1/webhooks/${id}/replay`, { body: {} });
    expect(status).toBe(202);
    await repairInbox(at.world, at.repair());
    expect([at.mends, at.losses]).toEqual([[], []]);
  });
});

describe('the open webhooks of a source', () => {
  const BOUNDED = { maxBacklog: 10, overflow: 'reject' };

  it.each([5, 0, undefined])('are counted anew, where %s were counted', async (counted) => {
    const at = await house(BOUNDED);
    await push(at.ask, at.source, '{"n":1}');
    await push(at.ask, at.source, '{"n":2}');
    const item = (await scanTable(at.world.client, at.world.tables.inbox)).find(
      ({ sk }) => sk === 'BACKLOG',
    );
    const key = { pk: String(item?.pk), sk: 'BACKLOG' };
    if (counted === undefined) await at.lose('inbox', key);
    else await at.put('inbox', key, { ...item, open: counted });

    await repairInbox(at.world, at.repair(true));
    await repairInbox(at.world, at.repair());
    await repairInbox(at.world, at.repair());

    expect(at.mends).toEqual(Array(2).fill(`backlog ${key.pk}`));
    expect(await at.world.db.get('inbox', key)).toMatchObject({ v: 1, open: 2 });
    expect(await violations(at)).toEqual([]);
    await work(at.world);
    expect(await at.world.db.get('inbox', key)).toMatchObject({ open: 0 });
  });
});

describe('what is due in the inbox', () => {
  it('is filed again where it was not, and told of where it cannot be read', async () => {
    const at = await house();
    const [first, second] = [
      await push(at.ask, at.source, '1'),
      await push(at.ask, at.source, '2'),
    ];
    const [unfiled, odd] = [first, second].map(({ body }) => {
      return receiptKey(at.tenantId, String(body.id));
    });
    const set = async (key: Key | undefined, more: Item) =>
      key && at.put('inbox', key, { ...(await at.world.db.get('inbox', key)), ...more });
    await set(unfiled, { duePk: undefined, dueSk: undefined });
    await set(odd, { status: 'odd' });

    await repairDue(at.world, 'inbox', at.repair());
    await repairDue(at.world, 'inbox', at.repair());

    expect(at.mends).toEqual([`due ${first.body.id}`]);
    expect(at.losses[0]).toContain(`${second.body.id}: inbox has a row of it that cannot be read`);
  });
});

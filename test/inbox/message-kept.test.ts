import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { forwardReceipt } from '../../functions/inbox/forward-receipt.ts';
import { DAY_MS, SECOND_MS } from '../../functions/shared/units.ts';
import type { Db, Write } from '../../functions/shared/world.ts';
import { conflictingDb } from '../support/conflicting-db.ts';
import { scanTable } from '../support/invariants/snapshot.ts';
import type { Ask } from '../support/room-client.ts';
import { NOON_MS } from '../support/world.ts';
import {
  eventsOf,
  type InboxWorld,
  inboxClient,
  inboxFaults,
  inboxWorld,
  newSource,
  push,
  standardHeaders,
  takeIn,
  work,
} from './inbox-house.ts';

let world: InboxWorld;
let tenantId: `ten_${string}`;
let ask: Ask;
beforeAll(async () => {
  world = await inboxWorld();
});
beforeEach(() => {
  world.clock.set(NOON_MS);
  world.sent.splice(0);
  ({ tenantId, ask } = inboxClient(world));
});

const shown = async (id: string) => (await ask(`GET /v1/webhooks/${id}`)).body;
const deadline = () => ({ deadlineMs: world.clock.nowMs() + 30 * SECOND_MS });

/** Doors in which another transaction is in the way of the first writes that are such ones. */
function conflicting(times: number, isSuch: (write: Write) => boolean): InboxWorld {
  return { ...world, db: conflictingDb(world.db, times, isSuch) };
}

const says = (text: string) => (write: Write) =>
  write.kind === 'update' && write.update.includes(text);

const received = (text?: string) => takeIn({ ask, world }, { ...(text && { text }) });

describe('a message', () => {
  it('does its work though a copy is a transaction on its receipt at this moment', async () => {
    const { id, message } = await received();
    await forwardReceipt(message, conflicting(2, says('claimEnd = :until')), deadline());
    expect((await shown(id)).status).toBe('completed');
  });

  it('comes again at its time where the clock of who sent it is fast', async () => {
    const { id, message } = await received();
    world.clock.set(NOON_MS - 4 * SECOND_MS);
    await forwardReceipt(message, world, deadline());
    expect((await shown(id)).status).toBe('pending');
    expect(world.sent).toMatchObject([{ queue: 'inbox', atMs: NOON_MS }]);
    world.clock.set(NOON_MS);
    await work(world);
    expect((await shown(id)).status).toBe('completed');
  });

  it('of the next attempt is sent though the answer that it may be made got lost', async () => {
    const { id, message } = await received();
    const commit: Db['commit'] = async (writes) => {
      if (writes.length > 1) throw new Error('x');
      const done = await world.db.commit(writes);
      // The second time it is refused, because the first time it was done.
      return writes.some(says('#nextAt = :nextAt')) ? world.db.commit(writes) : done;
    };
    await forwardReceipt(message, { ...world, db: { ...world.db, commit } }, deadline());
    const { nextAt } = await shown(id);
    expect(world.sent).toMatchObject([{ atMs: Date.parse(String(nextAt)) }]);
  });

  it('of a replay is sent though the answer that it is open again got lost', async () => {
    const { id, message } = await received();
    await forwardReceipt(message, world, deadline());
    const commit: Db['commit'] = async (writes) => {
      const done = await world.db.commit(writes);
      return writes.some(says('#replayOf = :replayOf')) ? world.db.commit(writes) : done;
    };
    const { ask: unlucky } = inboxClient({ ...world, db: { ...world.db, commit } }, tenantId);
    const replay = () => unlucky(`POST /v1/webhooks/${id}/replay`);
    expect((await replay()).status).toBe(202);
    expect((await replay()).body.code).toBe('not_retryable');
    await work(world);
    expect(await eventsOf(world, tenantId)).toHaveLength(2);
  });

  it('of a replay is sent with its repetition, while it waits', async () => {
    const { id } = await received();
    await forwardReceipt({ pk: `${tenantId}#${id}`, dueMs: NOON_MS }, world, deadline());
    const replay = () => ask(`POST /v1/webhooks/${id}/replay`, { key: 'r' });
    await replay();
    world.sent.splice(0);
    expect((await replay()).status).toBe(202);
    await work(world);
    expect(await eventsOf(world, tenantId)).toHaveLength(2);
    await replay();
    expect(world.sent).toEqual([]);
    expect(await inboxFaults(world)).toEqual([]);
  });
});

it('counts another body under the same id though its worker ends at this moment', async () => {
  const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
  const source = await newSource(ask, { scheme: 'standard', secret });
  const { ask: hurried } = inboxClient(conflicting(2, says('conflicts')), tenantId);
  const send = (text: string) => {
    const headers = standardHeaders(text, { id: 'm1', secret, nowMs: NOON_MS });
    return hurried(`POST /v1/in/${source.id}`, { text, headers });
  };
  const { body } = await send('{"a":1}');
  expect((await send('{"a":2}')).status).toBe(200);
  expect((await shown(body.id)).conflicts).toBe(1);
});

it('stores no receipt without its long body, whatever is in the way of that', async () => {
  const source = await newSource(ask);
  const isPiece = (write: Write) =>
    write.kind === 'put' && String(write.item.sk).startsWith('BODY#');
  const text = `{"a":"${'x'.repeat(2_000)}"}`;
  const { ask: late } = inboxClient(conflicting(2, isPiece), tenantId);
  const { body } = await push(late, source, text);
  expect(await shown(body.id)).toMatchObject({ status: 'pending', bytes: text.length });
  expect(await inboxFaults(world)).toEqual([]);
  const { ask: never } = inboxClient(conflicting(Infinity, isPiece), tenantId);
  expect((await push(never, source, `${text} `)).status).toBe(503);
});

it('deletes a source though the answer to the first try got lost, and once', async () => {
  const source = await newSource(ask);
  const commit: Db['commit'] = async (writes) => {
    await world.db.commit(writes);
    return world.db.commit(writes);
  };
  const { ask: unlucky } = inboxClient({ ...world, db: { ...world.db, commit } }, tenantId);
  const remove = () => unlucky(`DELETE /v1/sources/${source.id}`);
  expect((await remove()).status).toBe(200);
  expect((await remove()).status).toBe(404);
});

it('answers 404 for a body that has ended, though its receipt is replayed each month', async () => {
  const { id } = await received(`{"a":"${'x'.repeat(2_000)}"}`);
  const items = await scanTable(world.client, world.tables.inbox);
  for (const { pk, sk } of items.filter((it) => String(it.sk).startsWith('BODY#'))) {
    const key = { pk: String(pk), sk: String(sk) };
    await world.db.commit([{ kind: 'remove', table: 'inbox', key }]);
  }
  world.clock.advance(61 * DAY_MS);
  const { status, body } = await ask(`GET /v1/webhooks/${id}/body`);
  expect([status, body.code]).toEqual([404, 'not_found']);
});

it('knows the oldest open webhook of a source, wherever it is listed', async () => {
  const source = await newSource(ask, { scheme: 'none', secret: undefined });
  const send = () => ask(`POST /v1/in/${source.id}`, { text: 'x' });
  await send();
  world.clock.advance(60 * SECOND_MS);
  const ids = Array.from({ length: 12 }, () => Array.from({ length: 40 }, send));
  for (const some of ids) await Promise.all(some);
  const shownAge = async () => (await ask(`GET /v1/sources/${source.id}`)).body.oldestAgeSeconds;
  expect(await shownAge()).toBe(60);
});

import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { costOf } from '../support/cost.ts';
import { scanTable } from '../support/invariants/snapshot.ts';
import type { Ask, RoomAnswer, RoomBody } from '../support/room-client.ts';
import {
  asInstance,
  githubHeaders,
  type InboxWorld,
  inboxClient,
  inboxWorld,
  newSource,
} from './inbox-house.ts';

let world: InboxWorld;
let ask: Ask;
let source: RoomBody;
beforeAll(async () => {
  world = await inboxWorld();
});
beforeEach(async () => {
  ({ ask } = inboxClient(world));
  source = await newSource(ask);
});

const GOOD = githubHeaders('{}');
const BAD = githubHeaders('{}', 'a good guess');
const ADDRESS = '203.0.113.7';

function send(
  headers: Readonly<Record<string, string>>,
  { address = ADDRESS, to = source.id, by = ask } = {},
): Promise<RoomAnswer> {
  return by(`POST /v1/in/${to}`, { text: '{}', headers, address });
}

async function statuses(count: number, one: () => Promise<RoomAnswer>): Promise<string> {
  const all: number[] = [];
  for (let nth = 0; nth < count; nth += 1) all.push((await one()).status);
  return all.join(' ');
}

const TWENTY = Array.from({ length: 20 }, () => '401').join(' ');

describe('signatures that fail', () => {
  it('are answered 429 after twenty from an address, but for one per 3 s', async () => {
    expect(await statuses(22, () => send(BAD))).toBe(`${TWENTY} 429 429`);
    const refused = await send(BAD);
    expect(refused.body.code).toBe('rate_limited');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(3);
    world.clock.advance(3_000);
    expect(await statuses(2, () => send(BAD))).toBe('401 429');
  });

  it('keep nobody out who signs well, from the same address and at once', async () => {
    await statuses(25, () => send(BAD));
    expect((await send(GOOD)).status).toBe(202);
    expect((await send(BAD)).status).toBe(429);
    expect((await send(GOOD)).status).toBe(200);
  });

  it('keep nobody out after the secret has been mended', async () => {
    const body = { secret: 'a good guess', graceSeconds: 0 };
    await statuses(25, () => send(BAD));
    world.clock.advance(1_000);
    await ask(`POST /v1/sources/${source.id}/secret/rotate`, { body });
    world.clock.advance(1_000);
    expect((await send(BAD)).status).toBe(202);
  });

  it('count by source and by network, in all instances together', async () => {
    await statuses(20, () => send(BAD));
    const other = inboxClient(asInstance(world)).ask;
    expect((await send(BAD, { by: other })).status).toBe(429);
    expect((await send(BAD, { address: '203.0.113.8' })).status).toBe(401);
    expect((await send(BAD, { to: (await newSource(ask)).id })).status).toBe(401);

    const addresses = ['2001:db8:1:2::1', '2001:db8:1:2:ffff::1'];
    await statuses(20, () => send(BAD, { address: addresses[0] ?? '' }));
    expect((await send(BAD, { address: addresses[1] ?? '' })).status).toBe(429);
  });

  it('are not counted for this machine, which only a local cloud sees', async () => {
    const local = () => send(BAD, { address: '127.0.0.1' });
    expect(await statuses(21, local)).toBe(`${TWENTY} 401`);
  });

  it('cost a write each until there are too many, and then nothing', async () => {
    await send(GOOD);
    expect(await costOf(world, () => send(BAD))).toBe('0 RRU, 1 + 0 WRU');
    await statuses(20, () => send(BAD));
    const later = () => statuses(50, () => send(BAD));
    expect(await costOf(world, later)).toBe('0 RRU, 0 + 0 WRU');
    world.clock.advance(1_000);
    expect(await costOf(world, later)).toBe('1 RRU, 0 + 0 WRU');
  });
});

describe('what is kept of failed signatures', () => {
  it('names no address as it is', async () => {
    const [v4, v6] = ['198.51.100.77', '2001:db8:aa:bb::77'];
    for (const address of [v4, v6]) expect((await send(BAD, { address })).status).toBe(401);
    const items = await scanTable(world.client, world.tables.control);
    const buckets = items.filter(({ pk }) => String(pk).startsWith(`R#bad#${source.id}#`));
    expect(buckets).toHaveLength(2);
    const text = JSON.stringify(items);
    for (const address of [v4, '2001:db8:aa:bb']) expect(text).not.toContain(address);
  });

  it('is apart from the rates of sources, so that no stranger pushes them out', async () => {
    const takeToken = () => {
      throw new Error('the buckets of the sources were asked');
    };
    const { ask: by } = inboxClient({ ...asInstance(world), takeToken });
    expect((await send(BAD, { by })).status).toBe(401);
  });
});

describe('a source that is not there', () => {
  it('is looked for once in five seconds', async () => {
    const to = 'src_00000000000000000000000000';
    const five = () => statuses(5, () => send(GOOD, { to }));
    expect(await costOf(world, async () => expect(await five()).toBe('404 404 404 404 404'))).toBe(
      '1 RRU, 0 + 0 WRU',
    );
    world.clock.advance(5_000);
    expect(await costOf(world, five)).toBe('1 RRU, 0 + 0 WRU');
  });
});

import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { scanTable } from '../support/invariants/snapshot.ts';
import type { Ask } from '../support/room-client.ts';
import { NOON_MS } from '../support/world.ts';
import { type InboxWorld, inboxClient, inboxWorld, newSource, SECRET } from './inbox-house.ts';

let world: InboxWorld;
let ask: Ask;
beforeAll(async () => {
  world = await inboxWorld();
});
beforeEach(() => {
  world.clock.set(NOON_MS);
  ({ ask } = inboxClient(world));
});

const HMAC = { header: 'X-Sign', algorithm: 'sha256', encoding: 'hex', prefix: 'v1=' };
const create = (body: object, key?: string) => ask('POST /v1/sources', { body, key });

describe('a source', () => {
  it('is shown as it was asked for, never with its secret, which is sealed at rest', async () => {
    const terms = {
      ...{ name: 'Billing', scheme: 'hmac', secret: SECRET, hmac: HMAC, overflow: 'reject' },
      ...{ maxBacklog: 10, ratePerSecond: 5, dedupe: { windowSeconds: 60 } },
      forwardAs: 'billing.webhook',
    };
    const { status, body, text } = await create(terms);
    expect(status).toBe(201);
    const { secret: _secret, ...shown } = terms;
    expect(body).toMatchObject({
      ...shown,
      hmac: { ...HMAC, header: 'x-sign' },
      object: 'source',
      url: `/v1/in/${body.id}`,
      status: 'active',
    });
    expect(text).not.toContain(SECRET);
    const items = await scanTable(world.client, world.tables.inbox);
    expect(JSON.stringify(items)).not.toContain(SECRET);
    expect((await ask(`GET /v1/sources/${body.id}`)).body).toEqual({ ...body, backlog: 0 });
  });

  it('is made once under a key, of which nothing helps to guess its secret', async () => {
    const body = { name: 'A', scheme: 'github', secret: 'password' };
    const [made, again] = [await create(body, 'k1'), await create(body, 'k1')];
    expect([made.status, again.status, again.body.id]).toEqual([201, 201, made.body.id]);
    const other = await create({ ...body, secret: 'passw0rd' }, 'k1');
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_key_reused']);
    const stored = await world.db.get('inbox', { pk: made.body.id, sk: '#' });
    expect(stored?.fingerprint).toMatch(/^k1:1:[\w-]{43}$/);

    const key = await world.secrets.read('master-key');
    const ring = JSON.stringify({ current: 2, keys: { 1: key, 2: 'b'.repeat(32) } });
    const rotated = { ...world, secrets: { read: async () => ring } };
    const { ask: later } = inboxClient(rotated, String(stored?.tenant) as `ten_${string}`);
    const repeated = await later('POST /v1/sources', { body, key: 'k1' });
    expect([repeated.status, repeated.body.id]).toEqual([201, made.body.id]);
  });

  it('names its URL under the host that was asked', async () => {
    const headers = { host: 'api.example.com', 'x-forwarded-proto': 'https' };
    const { body } = await ask('POST /v1/sources', {
      body: { name: 'A', scheme: 'none' },
      headers,
    });
    expect(body.url).toBe(`https://api.example.com/v1/in/${body.id}`);
  });

  it.each([
    ['no secret', { scheme: 'github' }, ['/secret']],
    ['a secret that nobody uses', { scheme: 'none', secret: SECRET }, ['/secret']],
    ['a short secret', { scheme: 'github', secret: 'short' }, ['/secret']],
    ['an empty key', { scheme: 'standard', secret: 'whsec_AAAA' }, ['/secret']],
    [
      'what is no base64',
      { scheme: 'standard', secret: 'whsec_!!!!!!!!!!!!!!!!!!!!!!!!' },
      ['/secret'],
    ],
    ['hmac without terms', { scheme: 'hmac', secret: SECRET }, ['/hmac']],
    ['terms without hmac', { scheme: 'github', secret: SECRET, hmac: HMAC }, ['/hmac']],
    [
      'the header of keys',
      { scheme: 'hmac', secret: SECRET, hmac: { ...HMAC, idHeader: 'Authorization' } },
      ['/hmac/idHeader'],
    ],
    [
      'the signature as its id',
      { scheme: 'hmac', secret: SECRET, hmac: { ...HMAC, idHeader: 'x-sIGN' } },
      ['/hmac/idHeader'],
    ],
    ['a type of Tallyhook', { scheme: 'none', forwardAs: 'transaction.posted' }, ['/forwardAs']],
    ['no backlog', { scheme: 'none', maxBacklog: 0 }, ['/maxBacklog']],
    ['too much backlog', { scheme: 'none', maxBacklog: 1_000_001 }, ['/maxBacklog']],
    ['an unknown field', { scheme: 'none', url: 'x' }, ['/url']],
  ])('with %s is refused', async (_what, terms, pointers) => {
    const { status, body } = await create({ name: 'A', ...terms });
    expect([status, body.code]).toEqual([422, 'validation_failed']);
    expect(body.errors?.map(({ pointer }) => pointer)).toEqual(pointers);
  });

  it('whose id would be its signature is told what to name instead', async () => {
    const hmac = { ...HMAC, idHeader: HMAC.header };
    const { body } = await create({ name: 'A', scheme: 'hmac', secret: SECRET, hmac });
    expect(body.errors).toEqual([
      {
        pointer: '/hmac/idHeader',
        code: 'invalid',
        detail: 'is the header of the signature: name the one with an id, or leave it out',
      },
    ]);
  });

  it('is made once under a key, and not again after it was deleted', async () => {
    const terms = { name: 'A', scheme: 'none' };
    const made = await create(terms, 'k1');
    const again = await create(terms, 'k1');
    expect([again.status, again.body]).toEqual([201, made.body]);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect((await create({ ...terms, name: 'B' }, 'k1')).body.code).toBe('idempotency_key_reused');
    const deleted = await ask(`DELETE /v1/sources/${made.body.id}`);
    expect(deleted.body).toEqual({ id: made.body.id, object: 'source', deleted: true });
    expect((await ask(`GET /v1/sources/${made.body.id}`)).status).toBe(404);
    expect((await ask('GET /v1/sources')).body.data).toEqual([]);
    expect((await create(terms, 'k1')).body.code).toBe('conflict');
  });

  it('is changed where the change says something, and null takes a limit away', async () => {
    const source = await newSource(ask, { maxBacklog: 5, dedupe: { windowSeconds: 9 } });
    world.clock.advance(5);
    const patch = (body: object) => ask(`PATCH /v1/sources/${source.id}`, { body });
    const { body } = await patch({ name: 'New', maxBacklog: null, ratePerSecond: 3 });
    const { maxBacklog: _gone, ...rest } = source;
    const updatedAt = new Date(NOON_MS + 5).toISOString();
    expect(body).toEqual({ ...rest, name: 'New', ratePerSecond: 3, updatedAt });
    expect((await patch({ dedupe: null })).body).not.toHaveProperty('dedupe');
    expect((await patch({ scheme: 'none' })).status).toBe(422);
  });

  it('keeps every one of changes at the same time', async () => {
    const source = await newSource(ask);
    const changes = [
      { name: 'New' },
      { maxBacklog: 7 },
      { ratePerSecond: 3 },
      { status: 'paused' },
    ];
    await Promise.all(changes.map((body) => ask(`PATCH /v1/sources/${source.id}`, { body })));
    const { body } = await ask(`GET /v1/sources/${source.id}`);
    expect(body).toMatchObject(Object.assign({}, ...changes));
  });

  it('belongs to its tenant', async () => {
    const source = await newSource(ask);
    const { ask: other } = inboxClient(world);
    for (const call of ['GET', 'DELETE'] as const) {
      expect((await other(`${call} /v1/sources/${source.id}`)).status).toBe(404);
    }
    const patched = await other(`PATCH /v1/sources/${source.id}`, { body: { name: 'Mine' } });
    expect(patched.status).toBe(404);
    const rotated = await other(`POST /v1/sources/${source.id}/secret/rotate`, {
      body: { secret: 'another secret' },
    });
    expect(rotated.status).toBe(404);
    expect((await other('GET /v1/sources')).body.data).toEqual([]);
  });

  it('that does not sign has no secret to rotate, and a bad one is refused', async () => {
    const none = (await create({ name: 'A', scheme: 'none' })).body;
    const rotate = (id: string, secret: string) =>
      ask(`POST /v1/sources/${id}/secret/rotate`, { body: { secret } });
    expect((await rotate(none.id, SECRET)).body.code).toBe('not_available');
    const secret = Buffer.alloc(24, 1).toString('base64');
    const standard = await newSource(ask, { scheme: 'standard', secret });
    const refused = await rotate(standard.id, 'no base64 at all');
    expect(refused.body.errors?.[0]?.pointer).toBe('/secret');
  });

  it('are listed newest first, page by page, by status', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1) {
      world.clock.advance(1);
      const status = n % 2 === 0 ? 'active' : 'paused';
      ids.unshift((await newSource(ask, { status })).id);
    }
    const { body: first } = await ask('GET /v1/sources?limit=3');
    const { body: rest } = await ask(`GET /v1/sources?limit=3&cursor=${first.nextCursor}`);
    expect([...first.data, ...rest.data].map((it) => it.id)).toEqual(ids);
    const { body: paused } = await ask('GET /v1/sources?status=paused');
    expect(paused.data.map((it) => it.id)).toEqual([ids[1], ids[3]]);
  });
});

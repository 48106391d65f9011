import { beforeEach, describe, expect, it } from 'vitest';
import { toDrop } from '../../functions/files/dropped-object.ts';
import { toFile } from '../../functions/files/file.store.ts';
import type { AlertFile } from '../../functions/files/file.ts';
import { findLostDrops } from '../../functions/files/find-lost-drops.ts';
import { insertTenant } from '../../functions/tenants/tenant.store.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { FilesHouse, usersFile } from './files-house.ts';

/** Every version of every object, as a versioned bucket keeps them. */
class Versions {
  readonly #versions = new Map<string, { bytes: Uint8Array; metadata: Record<string, string> }>();
  readonly #latest = new Map<string, string>();

  constructor(house: FilesHouse) {
    const { bucket } = house.doors;
    const find = (key: string, version = this.#latest.get(key)) =>
      this.#versions.get(`${key} ${version}`);
    Object.assign(house.doors, {
      bucket: {
        ...bucket,
        stat: async (key: string, version?: string) => {
          const found = find(key, version);
          const versionId = version ?? this.#latest.get(key) ?? '';
          if (!found) return bucket.stat(key);
          return { bytes: found.bytes.length, metadata: found.metadata, versionId };
        },
        read: async (key: string, range: { versionId?: string } = {}) => {
          const found = find(key, range.versionId);
          if (!found) return bucket.read(key, range);
          return (async function* chunks() {
            yield found.bytes;
          })();
        },
        list: async () => ({ keys: [...this.#latest.keys()] }),
      },
    });
  }

  /** Puts a version and answers the event that tells of it. */
  put(key: string, content: string, metadata: Record<string, string> = {}) {
    const version = `v${this.#versions.size + 1}`;
    this.#versions.set(`${key} ${version}`, { bytes: Buffer.from(content), metadata });
    this.#latest.set(key, version);
    return {
      queue: 'file-events',
      body: { detail: { object: { key, 'version-id': version } } },
    } as const;
  }

  remove(key: string): void {
    this.#latest.delete(key);
  }
}

let house: FilesHouse;
let versions: Versions;
let endpoint: Endpoint;
beforeEach(async () => {
  house = await FilesHouse.open();
  versions = new Versions(house);
  endpoint = await addEndpoint();
});

async function addEndpoint(given: Partial<Endpoint> = {}): Promise<Endpoint> {
  const made = await house.addEndpoint(given);
  const nowMs = house.world.clock.nowMs();
  const tenant = {
    id: made.tenantId as `ten_${string}`,
    name: 'Acme',
    mode: 'live',
    limits: { requestsPerSecond: 100, burst: 200, endpoints: 100 },
    settings: { requireIdempotencyKeys: false },
    createdAtMs: nowMs,
  } as const;
  await house.world.db.commit([insertTenant(tenant)]);
  return made;
}

const keyOf = ({ tenantId, id }: Endpoint, name = 'users.csv') => `drop/${tenantId}/${id}/${name}`;

async function files(): Promise<AlertFile[]> {
  const { files: items } = await takeSnapshot(house.world.client, house.world.tables);
  return items.filter(({ sk }) => sk === '#').map(toFile);
}

async function theFile(): Promise<AlertFile> {
  const [file, ...others] = await files();
  expect(others).toEqual([]);
  if (!file) throw new Error('no file');
  return file;
}

describe('a dropped object', () => {
  it('becomes a file with the defaults of its endpoint', async () => {
    const fileDefaults = {
      message: 'Hello',
      eventType: 'reminder',
      ratePerSecond: 20,
      onUnknown: 'stop',
    } as const;
    const mine = await addEndpoint({ fileDefaults });
    await house.handle(versions.put(keyOf(mine, 'may/list.csv'), usersFile(3)));
    const done = await house.settle(await theFile());
    expect(done).toMatchObject({ ...fileDefaults, state: 'completed', delivered: 3 });
    expect(done).toMatchObject({ name: 'may/list.csv', endpointId: mine.id, bytes: 49 });
    expect(house.received[0]?.body).toContain('"message":"Hello"');
  });

  it('is what its metadata say where they say something', async () => {
    const mine = await addEndpoint({ fileDefaults: { message: 'Hello', idColumn: 'user_id' } });
    const metadata = {
      'tallyhook-message': '=?UTF-8?B?R3LDvMOfZQ==?=',
      'tallyhook-id-column': '2',
      'tallyhook-rate-per-second': '7.5',
      'tallyhook-on-malformed': 'skip',
      'tallyhook-release': 'manual',
      other: 'ignored',
    };
    await house.handle(versions.put(keyOf(mine), 'a,b\n1,x\n', metadata));
    expect(await theFile()).toMatchObject({
      ...{ message: 'Grüße', idColumn: 2, ratePerSecond: 7.5, onMalformed: 'skip' },
      ...{ release: 'manual', state: 'ready', alerts: 1 },
    });
  });

  it.each([
    { 'tallyhook-rate-per-second': 'fast' },
    { 'tallyhook-mesage': 'typo' },
    { 'tallyhook-size': '3' },
  ])('with the metadata %j fails, and sends nothing', async (metadata) => {
    await house.handle(versions.put(keyOf(endpoint), usersFile(3), metadata as never));
    expect(await theFile()).toMatchObject({
      state: 'failed',
      error: { code: 'metadata_invalid', detail: expect.stringMatching(/^The metadata .*\.$/) },
    });
    expect(house.received).toEqual([]);
  });

  it('is one file however often and late its event comes', async () => {
    const event = versions.put(keyOf(endpoint), usersFile(3));
    await Promise.all([house.handle(event), house.handle(event)]);
    await house.handle(event);
    const done = await house.settle(await theFile());
    await house.handle(event);
    expect(await house.find(done)).toMatchObject({ state: 'completed', delivered: 3 });
    expect(house.received).toHaveLength(3);
  });

  it('that is overwritten is another file, and each is read in its own version', async () => {
    const first = versions.put(keyOf(endpoint), usersFile(3));
    const second = versions.put(keyOf(endpoint), usersFile(5));
    // Out of order: the later one is told of first.
    await house.handle(second);
    await house.handle(first);
    const done = await Promise.all((await files()).map((it) => house.find(it)));
    expect(done.map((it) => it.alerts).sort()).toEqual([3, 5]);
  });

  it('with the same bytes once more needs approval', async () => {
    await house.handle(versions.put(keyOf(endpoint), usersFile(3)));
    await house.handle(versions.put(keyOf(endpoint, 'again.csv'), usersFile(3)));
    expect((await files()).map((it) => it.state).sort()).toEqual(['delivering', 'needs_approval']);
  });

  it('for an endpoint that does not exist becomes a failed file, and tells so', async () => {
    const key = `drop/${endpoint.tenantId}/${house.world.ids.next('end')}/users.csv`;
    await house.handle(versions.put(key, usersFile(3)));
    expect(await theFile()).toMatchObject({
      state: 'failed',
      error: { code: 'endpoint_not_found' },
    });
    const { outbox } = await takeSnapshot(house.world.client, house.world.tables);
    expect(outbox.map((it) => it.type)).toEqual(['file.failed']);
  });

  it('for a tenant that does not exist is a metric and a line, and no file', async () => {
    const counted: string[] = [];
    Object.assign(house.doors, { metrics: { count: (name: string) => counted.push(name) } });
    const key = `drop/${house.world.ids.next('ten')}/${endpoint.id}/users.csv`;
    await house.handle(versions.put(key, usersFile(3)));
    expect(await files()).toEqual([]);
    expect(counted).toEqual(['DropsOfNobody']);
    expect(house.world.lines).toContainEqual(
      expect.objectContaining({ event: 'drop.unknown-tenant', key }),
    );
  });

  it('is a file also where another write was in the way of its first', async () => {
    const { db } = house.doors;
    let commits = 0;
    const commit: typeof db.commit = async (writes) => {
      commits += 1;
      return commits === 1 ? { ok: false, reasons: [{ code: 'conflict' }] } : db.commit(writes);
    };
    Object.assign(house.doors, { db: { ...db, commit } });
    await house.handle(versions.put(keyOf(endpoint), usersFile(3)));
    expect(await house.settle(await theFile())).toMatchObject({ state: 'completed', delivered: 3 });
  });

  it('that is gone when its event comes is left alone', async () => {
    const event = versions.put(keyOf(endpoint), usersFile(3));
    const { object } = event.body.detail;
    await house.handle({
      ...event,
      body: { detail: { object: { ...object, 'version-id': 'v9' } } },
    });
    expect(await files()).toEqual([]);
  });
});

describe('an event that got lost', () => {
  it('is made good by the hourly look, once', async () => {
    versions.put(keyOf(endpoint), usersFile(3));
    const seen = versions.put(keyOf(endpoint, 'b.csv'), usersFile(4));
    versions.put(`drop/${endpoint.tenantId}/folder/`, '');
    await house.handle(seen);
    house.world.sent.length = 0;

    await findLostDrops(house.doors);
    expect(house.world.sent).toHaveLength(1);
    await house.handleAll();
    await findLostDrops(house.doors);
    expect(house.world.sent.filter((it) => it.queue === 'file-events')).toEqual([]);
    expect((await files()).map((it) => it.alerts).sort()).toEqual([3, 4]);
  });
});

describe('the key', () => {
  it.each([
    ['drop/ten_1/end_2/a.csv', { tenantId: 'ten_1', endpointId: 'end_2', name: 'a.csv' }],
    ['drop/ten_1/end_2/2026/05/a b.csv', { name: '2026/05/a b.csv' }],
    ['drop/ten_1/end_2/', undefined],
    ['drop/ten_1/end_2/2026/', undefined],
    ['drop/ten_1/a.csv', undefined],
    ['drop/a.csv', undefined],
    ['incoming/ten_1/fil_2', undefined],
  ])('%s is understood as %j', (key, drop) => {
    if (drop) expect(toDrop(key, undefined)).toMatchObject(drop);
    else expect(toDrop(key, undefined)).toBeUndefined();
  });
});

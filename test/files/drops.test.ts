import { beforeEach, describe, expect, it } from 'vitest';
import { retry } from '../../functions/files/change-state.ts';
import { toDrop } from '../../functions/files/dropped-object.ts';
import { File } from '../../functions/files/file.contract.ts';
import { toFile } from '../../functions/files/file.store.ts';
import type { AlertFile } from '../../functions/files/file.ts';
import { fileView } from '../../functions/files/file-view.ts';
import { findLostDrops } from '../../functions/files/find-lost-drops.ts';
import type { ObjectMark, ObjectVersion, VersionPage } from '../../functions/shared/bucket.ts';
import { DAY_MS, MINUTE_MS } from '../../functions/shared/units.ts';
import { insertTenant } from '../../functions/tenants/tenant.store.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { FilesHouse, usersFile } from './files-house.ts';

const NO_HURRY = { stopMs: Infinity };

/** Every version of every object, as a versioned bucket keeps them. */
class Versions {
  readonly #versions = new Map<
    string,
    ObjectVersion & { bytes: Uint8Array; metadata: Record<string, string> }
  >();
  readonly #latest = new Map<string, string>();
  readonly #house: FilesHouse;
  /** How many a listing answers at a time. */
  perPage = 1_000;

  constructor(house: FilesHouse) {
    this.#house = house;
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
        listVersions: async (prefix: string, after?: ObjectMark) => this.#page(prefix, after),
      },
    });
  }

  /** Puts a version and answers the event that tells of it. */
  put(key: string, content: string, metadata: Record<string, string> = {}) {
    const versionId = `v${this.#versions.size + 1}`;
    const modifiedMs = this.#house.world.clock.nowMs();
    const facts = { key, versionId, modifiedMs, metadata };
    this.#versions.set(`${key} ${versionId}`, { ...facts, bytes: Buffer.from(content) });
    this.#latest.set(key, versionId);
    return {
      queue: 'file-events',
      body: { detail: { object: { key, 'version-id': versionId } } },
    } as const;
  }

  remove(key: string): void {
    this.#latest.delete(key);
  }

  erase({ object }: { readonly object: { key: string; 'version-id': string } }): void {
    this.#versions.delete(`${object.key} ${object['version-id']}`);
  }

  /** By their keys, the latest of each first. */
  #page(prefix: string, after?: ObjectMark): VersionPage {
    const all = [...this.#versions.values()]
      .filter(({ key }) => key.startsWith(prefix))
      .reverse()
      .sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)));
    const isAfter = (it: ObjectMark) => it.key === after?.key && it.versionId === after.versionId;
    const from = after ? all.findIndex(isAfter) + 1 : 0;
    const versions = all.slice(from, from + this.perPage);
    const last = versions.at(-1);
    const isEnd = last === undefined || from + versions.length === all.length;
    return isEnd ? { versions } : { versions, next: last };
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
    // Read again it would go out without what the metadata wanted to say.
    await expect(house.act(retry, await theFile())).rejects.toThrow(
      expect.objectContaining({ code: 'not_retryable' }),
    );
    await house.settle(await theFile());
    expect(house.received).toEqual([]);
  });

  it.each([
    [{ 'rate-per-second': 'fast' }, ['rate-per-second must be a number']],
    [{ 'rate-per-second': '9999' }, ['rate-per-second must be at most 5000']],
    [
      { nosuch: 'x', size: '3' },
      ['nosuch is no setting of a drop', 'size is no setting of a drop'],
    ],
    [{ message: '' }, ['message must not be empty']],
    [{ 'allow-repeat': 'maybe' }, ['allow-repeat must be true or false']],
    [{ 'on-malformed': 'x' }, ['on-malformed must be one of ask, skip, fail']],
    [{ 'event-type': 'file.ready' }, ['event-type is a type of Tallyhook itself']],
    [{ 'max-malformed-share': '1e-9' }, ['max-malformed-share must be 0 or at least 0.000001']],
    [
      { release: 'x', 'id-columns': 'y' },
      ['release must be one of auto, manual', 'id-columns is no setting of a drop'],
    ],
  ])('with the metadata %j says in plain words what is wrong', async (said, faults) => {
    const all = Object.entries(said).map(([name, value]) => [`tallyhook-${name}`, value]);
    await house.handle(versions.put(keyOf(endpoint), usersFile(3), Object.fromEntries(all)));
    const told = faults.map((it) => `x-amz-meta-tallyhook-${it}`).join('; ');
    const detail = `The metadata of the object do not fit: ${told}.`;
    expect((await theFile()).error).toEqual({ code: 'metadata_invalid', detail });
  });

  it('with more wrong metadata than anybody reads names the first five', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'].map((it) => [`tallyhook-${it}`, 'x']);
    await house.handle(versions.put(keyOf(endpoint), usersFile(3), Object.fromEntries(names)));
    const { detail } = (await theFile()).error ?? {};
    expect(detail?.match(/tallyhook-./g)).toEqual(names.slice(0, 5).map(([name]) => name));
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

  it.each(['end_typo', 'end_01 é#x'])(
    'for a folder that cannot be an endpoint is shown as well: %s',
    async (folder) => {
      await house.handle(
        versions.put(`drop/${endpoint.tenantId}/${folder}/users.csv`, usersFile(3)),
      );
      const shown = File.parse(fileView(await theFile()));
      expect(shown).toMatchObject({ status: 'failed', endpointId: folder });
    },
  );

  it.each([
    ['for a tenant that does not exist', 'drop.unknown-tenant', () => 'ten_none/end_none/'],
    ['for no endpoint', 'drop.no-endpoint', () => `${endpoint.tenantId}/`],
    ['in a folder of none', 'drop.no-endpoint', () => `${endpoint.tenantId}/users/may/`],
  ])('%s is a metric and a line, and no file', async (_what, event, folder) => {
    const counted: string[] = [];
    Object.assign(house.doors, { metrics: { count: (name: string) => counted.push(name) } });
    const key = `drop/${folder()}users.csv`;
    await house.handle(versions.put(key, usersFile(3)));
    expect(await files()).toEqual([]);
    // Nobody is told again of what every look finds again.
    for (let hours = 0; hours < 3; hours += 1) {
      await findLostDrops(house.doors, NO_HURRY);
      await house.handleAll();
    }
    expect(counted).toEqual(['DropsOfNobody']);
    expect(house.world.lines).toContainEqual(expect.objectContaining({ event, key }));
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

  it('is read in its version also where its parser died and its key is gone since', async () => {
    const key = keyOf(endpoint);
    const event = versions.put(key, usersFile(3));
    const { db } = house.doors;
    let commits = 0;
    const commit: typeof db.commit = async (writes) => {
      commits += 1;
      if (commits > 1) throw new Error('killed');
      return db.commit(writes);
    };
    await expect(house.handle(event, { ...house.doors, db: { ...db, commit } })).rejects.toThrow();
    versions.remove(key);
    const done = await house.settle(await theFile());
    expect(done).toMatchObject({ state: 'completed', delivered: 3 });
    expect((done.completedAtMs ?? Infinity) - done.createdAtMs).toBeLessThan(5 * MINUTE_MS);
  });

  it.each([
    ['is told of by the same event', false],
    ['is found later, when that was lost', true],
  ])('that is deleted before it is read fails, and %s', async (_how, isLost) => {
    const event = versions.put(keyOf(endpoint), usersFile(3));
    const { db } = house.doors;
    const commit: typeof db.commit = async (writes) => {
      const done = await db.commit(writes);
      versions.erase(event.body.detail);
      if (isLost) throw new Error('killed');
      return done;
    };
    const handled = house.handle(event, { ...house.doors, db: { ...db, commit } });
    if (isLost) await expect(handled).rejects.toThrow('killed');
    else await handled;

    const failed = await house.settle(await theFile());
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'not_found' }, readings: 0 });
    expect(house.world.clock.nowMs() - failed.createdAtMs).toBeLessThan(3 * MINUTE_MS);
    const { outbox } = await takeSnapshot(house.world.client, house.world.tables);
    expect(outbox.map((it) => it.type)).toEqual(['file.failed']);
    await expect(house.act(retry, failed)).rejects.toMatchObject({
      code: 'not_retryable',
      message: 'The object is gone: drop it anew.',
    });
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

    // Of a page of them nobody is asked about one by one.
    const stat = () => Promise.reject(new Error('a request for each object'));
    await findLostDrops({ ...house.doors, bucket: { ...house.doors.bucket, stat } }, NO_HURRY);
    expect(house.world.sent).toHaveLength(1);
    await house.handleAll();
    await findLostDrops(house.doors, NO_HURRY);
    expect(house.world.sent.filter((it) => it.queue === 'file-events')).toEqual([]);
    expect((await files()).map((it) => it.alerts).sort()).toEqual([3, 4]);
  });

  it('is made good also of an object that was overwritten since', async () => {
    versions.put(keyOf(endpoint), usersFile(3));
    await house.handle(versions.put(keyOf(endpoint), usersFile(4)));
    house.world.sent.length = 0;
    await findLostDrops(house.doors, NO_HURRY);
    await house.handleAll();
    expect((await files()).map((it) => it.alerts).sort()).toEqual([3, 4]);
  });

  it('is none of an object that is to be removed: its file may be forgotten', async () => {
    versions.put(keyOf(endpoint), usersFile(3));
    house.world.clock.advance(7 * DAY_MS + MINUTE_MS);
    await findLostDrops(house.doors, NO_HURRY);
    expect(house.world.sent).toEqual([]);
  });

  it('is found by the next look where one ran out of time, then from the beginning', async () => {
    versions.perPage = 2;
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      versions.put(keyOf(endpoint, `${name}.csv`), `user_id\nu-${name}\n`);
    }
    const look = async () => {
      house.world.sent.length = 0;
      await findLostDrops(house.doors, { stopMs: house.world.clock.nowMs() });
      return house.world.sent.map(({ body }) => String(body.dropKey).slice(-5));
    };
    expect(await look()).toEqual(['a.csv', 'b.csv']);
    expect(await look()).toEqual(['c.csv', 'd.csv']);
    expect(await look()).toEqual(['e.csv']);
    expect(await look()).toEqual(['a.csv', 'b.csv']);
  });
});

describe('the key', () => {
  it.each([
    ['drop/ten_1/end_2/a.csv', { tenantId: 'ten_1', endpointId: 'end_2', name: 'a.csv' }],
    ['drop/ten_1/end_2/2026/05/a b.csv', { name: '2026/05/a b.csv' }],
    ['drop/ten_1/end_2/', undefined],
    ['drop/ten_1/end_2/2026/', undefined],
    ['drop/ten_1/a.csv', { tenantId: 'ten_1', endpointId: undefined, name: 'a.csv' }],
    ['drop/ten_1/users/a.csv', { endpointId: undefined, name: 'users/a.csv' }],
    ['drop/ten_1/', undefined],
    ['drop/a.csv', undefined],
    ['incoming/ten_1/fil_2', undefined],
  ])('%s is understood as %j', (key, drop) => {
    if (drop) expect(toDrop(key, undefined)).toMatchObject(drop);
    else expect(toDrop(key, undefined)).toBeUndefined();
  });
});

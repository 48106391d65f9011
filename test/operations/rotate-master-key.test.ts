import { beforeAll, describe, expect, it } from 'vitest';
import { findSource, sourceKey } from '../../functions/inbox/source.store.ts';
import {
  countOlder,
  type RotationStep,
  rotateMasterKey,
} from '../../functions/operations/rotate-master-key.ts';
import { readKeyRing } from '../../functions/shared/key-ring.ts';
import { readMasterKey } from '../../functions/shared/sealed.ts';
import { findEndpoint, setStatus } from '../../functions/webhooks/endpoint.store.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import {
  openHeaders,
  openSecrets,
  sealFirstSecret,
  sealHeaders,
} from '../../functions/webhooks/endpoint-sealing.ts';
import { asInstance, inboxClient, newSource, push } from '../inbox/inbox-house.ts';
import { useStillTime } from '../support/still-time.ts';
import { newTenant } from '../support/world.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  newEndpoint,
  SECRET,
} from '../webhooks/delivery-world.ts';

useStillTime();

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

const url = 'http://127.0.0.1:4000/hook';
const HEADERS = { authorization: 'Bearer of-the-tests' };
const PATIENCE_MS = 420_000;

/** One installation: its secret, its tenants, and what functions come to know of it. */
async function installation(endpoints: number) {
  let stored = await world.secrets.read('master-key');
  const texts: { readonly atMs: number; readonly text: string }[] = [];
  const tenants = [newTenant(world), newTenant(world)];
  const made: Endpoint[] = [];
  const sealer = { masterKey: readMasterKey(stored), ids: world.ids };
  for (let n = 0; n < endpoints; n += 1) {
    const tenantId = tenants[n % 2] ?? '';
    const plain = await newEndpoint(world, url, { tenantId });
    const headers = sealHeaders(plain, HEADERS, sealer);
    const key = { pk: tenantId, sk: plain.id };
    const values = { ':sealed': headers?.sealed, ':names': headers?.names };
    const update = 'SET headers = :sealed, headerNames = :names';
    await world.db.commit([{ kind: 'update', table: 'endpoints', key, update, values }]);
    made.push({ ...plain, headers });
  }
  const steps: RotationStep[] = [];
  const doors = {
    ...world,
    secret: {
      read: async () => stored,
      write: async (text: string) => {
        stored = text;
        texts.push({ atMs: world.clock.nowMs(), text });
      },
    },
    tenantIds: async function* ids() {
      yield* tenants;
    },
  };
  const plan = { patienceMs: PATIENCE_MS, tell: (step: RotationStep) => void steps.push(step) };
  const find = async (it: Endpoint) => {
    const found = await findEndpoint(world.db, it.tenantId, it.id);
    if (!found) throw new Error('no endpoint');
    return found;
  };
  const ring = () => readKeyRing(stored);
  return { doors, plan, steps, texts, made, tenants, find, ring, read: () => stored };
}

describe('a rotation of the master key', () => {
  it('makes a ring of one plain key, and seals everything with the new one', async () => {
    const house = await installation(5);
    const plain = house.read();
    expect(await countOlder(house.doors)).toEqual({ endpoints: 5, sources: 0, older: 0, left: [] });
    const count = await rotateMasterKey(house.doors, house.plan);

    expect(count).toEqual({ endpoints: 5, sources: 0, older: 5, left: [] });
    expect(house.steps.map((it) => it.kind)).toEqual([
      'added',
      'waiting',
      'current',
      'waiting',
      'done',
    ]);
    expect(house.ring()).toEqual({ current: 2, keys: { 1: plain, 2: expect.any(String) } });
    const onlyNew = { current: 1, keys: { 1: house.ring().keys[2] } };
    for (const it of house.made) {
      const found = await house.find(it);
      expect([...found.secrets, found.headers].map((one) => one?.sealed)).toEqual([
        expect.stringMatching(/^s1:2:/),
        expect.stringMatching(/^s1:2:/),
      ]);
      const masterKey = readMasterKey(house.read());
      expect(openSecrets(found, masterKey, world.clock.nowMs())).toEqual([SECRET]);
      expect(openHeaders(found, masterKey)).toEqual(HEADERS);
      expect(found.updatedAtMs).toBeUndefined();
      expect(() => openHeaders(found, readMasterKey(JSON.stringify(onlyNew)))).toThrow();
    }
  });

  it('seals with a key only when nobody can be without it', async () => {
    const house = await installation(1);
    await rotateMasterKey(house.doors, house.plan);
    const [added, current, rest] = house.texts;
    if (!added || !current || !rest) throw new Error('three texts are written');
    expect(readMasterKey(added.text).current).toBe('1');
    expect(readMasterKey(current.text).current).toBe('2');
    expect(current.atMs - added.atMs).toBe(PATIENCE_MS);
    expect(rest.atMs - current.atMs).toBe(PATIENCE_MS);
  });

  it('tells and writes nothing that is secret', async () => {
    const house = await installation(2);
    await rotateMasterKey(house.doors, house.plan);
    const { keys } = house.ring();
    const told = JSON.stringify([house.steps, world.lines]);
    for (const secret of [...Object.values(keys), SECRET, HEADERS.authorization]) {
      expect(told).not.toContain(secret);
    }
  });

  it.each([1, 2, 3, 4, 5])('goes on where it was when it dies at its write %i', async (fatal) => {
    const house = await installation(3);
    let writes = 0;
    const dying = async <Answer>(work: () => Promise<Answer>): Promise<Answer> => {
      writes += 1;
      if (writes === fatal) throw new Error('killed');
      return work();
    };
    const { secret, db } = house.doors;
    const mortal = {
      ...house.doors,
      db: {
        ...db,
        commit: (them: Parameters<typeof db.commit>[0]) => dying(() => db.commit(them)),
      },
      secret: { ...secret, write: (text: string) => dying(() => secret.write(text)) },
    };
    await expect(rotateMasterKey(mortal, house.plan)).rejects.toThrow('killed');
    await rotateMasterKey(house.doors, house.plan);

    expect(house.ring()).toMatchObject({ current: 2, keys: { 1: expect.any(String) } });
    expect(Object.keys(house.ring().keys)).toEqual(['1', '2']);
    expect(await countOlder(house.doors)).toEqual({ endpoints: 3, sources: 0, older: 0, left: [] });
  });

  it('comes to one end when two are begun at once', async () => {
    const house = await installation(4);
    await Promise.all([
      rotateMasterKey(house.doors, house.plan),
      rotateMasterKey(house.doors, house.plan),
    ]);
    const { current, rotation } = house.ring();
    expect(rotation).toBeUndefined();
    expect(current).toBe(2);
    expect(await countOlder(house.doors)).toEqual({ endpoints: 4, sources: 0, older: 0, left: [] });
  });

  it('takes no version away that another rotation has added meanwhile', async () => {
    const house = await installation(2);
    const { clock, tenantIds } = house.doors;
    const stopped = { ...clock, sleep: () => Promise.reject(new Error('stopped')) };
    let isFirst = true;
    const slow = {
      ...house.doors,
      tenantIds: async function* ids() {
        if (isFirst) {
          isFirst = false;
          await rotateMasterKey(house.doors, house.plan);
          const third = rotateMasterKey({ ...house.doors, clock: stopped }, house.plan);
          await expect(third).rejects.toThrow('stopped');
        }
        yield* tenantIds();
      },
    };

    await rotateMasterKey(slow, house.plan);

    expect(Object.keys(house.ring().keys)).toEqual(['1', '2', '3']);
    expect(house.ring().rotation).toMatchObject({ phase: 'added', to: 3 });
    await rotateMasterKey(house.doors, house.plan);
    expect(house.ring().current).toBe(3);
  });

  it('waits its whole time when it goes on at a machine whose clock is fast', async () => {
    const house = await installation(1);
    const stopped = { ...world.clock, sleep: () => Promise.reject(new Error('stopped')) };
    await expect(rotateMasterKey({ ...house.doors, clock: stopped }, house.plan)).rejects.toThrow(
      'stopped',
    );
    const startMs = world.clock.nowMs();
    const fast = { ...world.clock, nowMs: () => world.clock.nowMs() + 2 * PATIENCE_MS };

    await rotateMasterKey({ ...house.doors, clock: fast }, house.plan);

    const [, current] = house.texts;
    expect((current?.atMs ?? 0) - startMs).toBe(PATIENCE_MS);
  });

  it('loses no change that is made meanwhile, and revives nothing', async () => {
    const house = await installation(2);
    const [changed, gone] = house.made as [Endpoint, Endpoint];
    let isDone = false;
    const { db } = house.doors;
    const busy = {
      ...house.doors,
      db: {
        ...db,
        commit: async (them: Parameters<typeof db.commit>[0]) => {
          if (!isDone) await db.commit(setStatus(await house.find(changed), 'paused'));
          isDone = true;
          return db.commit(them);
        },
      },
    };
    await db.commit([
      {
        kind: 'put',
        table: 'endpoints',
        item: { pk: gone.tenantId, sk: gone.id, deletedAt: 1 },
      },
    ]);
    await rotateMasterKey(busy, house.plan);
    expect((await house.find(changed)).status).toBe('paused');
    expect(await countOlder(house.doors)).toEqual({ endpoints: 1, sources: 0, older: 0, left: [] });
    expect(await findEndpoint(world.db, gone.tenantId, gone.id)).toBeUndefined();
  });

  it('seals the secrets of sources anew as well: they are good without the old key', async () => {
    const house = await installation(1);
    const tenantId = house.tenants[1] ?? '';
    const doors = asInstance({ ...world, secrets: { read: async () => house.read() } });
    const { ask } = inboxClient(doors, tenantId as `ten_${string}`);
    const [first, second] = [await newSource(ask), await newSource(ask)];
    const rotated = { body: { secret: 'another secret of theirs', graceSeconds: 600_000 } };
    await ask(`POST /v1/sources/${second.id}/secret/rotate`, rotated);
    const gone = await newSource(ask);
    await ask(`DELETE /v1/sources/${gone.id}`);
    const before = await findSource(world.db, tenantId, String(first.id));
    expect(await countOlder(house.doors)).toEqual({ endpoints: 1, sources: 2, older: 0, left: [] });
    expect(await rotateMasterKey(house.doors, house.plan)).toEqual({
      ...{ endpoints: 1, sources: 2, older: 3, left: [] },
    });

    expect(await countOlder(house.doors)).toEqual({ endpoints: 1, sources: 2, older: 0, left: [] });
    const onlyNew = JSON.stringify({ current: 2, keys: { 2: house.ring().keys[2] } });
    const later = asInstance({ ...world, secrets: { read: async () => onlyNew } });
    const { ask: askLater } = inboxClient(later, tenantId as `ten_${string}`);
    for (const source of [first, second]) {
      expect((await push(askLater, source, '{"a":1}')).status).toBe(202);
    }
    const after = await findSource(world.db, tenantId, String(first.id));
    expect(after?.updatedAtMs).toBe(before?.updatedAtMs);
    expect(after?.revision).toBe(2);
  });

  it('goes on behind what cannot be read or opened, names it, and is not at its end', async () => {
    const house = await installation(6);
    const [odd, , torn] = house.made as [Endpoint, Endpoint, Endpoint];
    const keyOf = (it: Endpoint) => ({ pk: it.tenantId, sk: it.id });
    const change = async (it: Endpoint, changes: object) => {
      const item = { ...keyOf(it), ...(await world.db.get('endpoints', keyOf(it))), ...changes };
      await world.db.commit([{ kind: 'put', table: 'endpoints', item }]);
    };
    await change(odd, { status: 'odd' });
    await change(torn, { secrets: [{ sealed: 's1:1:torn' }] });
    const tenantId = house.tenants[0] ?? '';
    const doors = asInstance({ ...world, secrets: { read: async () => house.read() } });
    const { ask } = inboxClient(doors, tenantId as `ten_${string}`);
    const [broken, well] = [String((await newSource(ask)).id), (await newSource(ask)).id];
    const source = await world.db.get('inbox', sourceKey(broken));
    const item = { ...sourceKey(broken), ...source, scheme: 'odd' };
    await world.db.commit([{ kind: 'put', table: 'inbox', item }]);

    const count = await rotateMasterKey(house.doors, house.plan);

    const left = [`${tenantId}/${odd.id}`, `${tenantId}/${torn.id}`, `${tenantId}/${broken}`];
    expect(count).toEqual({ endpoints: 4, sources: 1, older: 5, left: expect.any(Array) });
    expect(count.left.toSorted()).toEqual(left.toSorted());
    expect(house.steps.at(-1)).toEqual({ kind: 'left', version: 2, count });
    expect(house.ring().rotation).toMatchObject({ phase: 'current', to: 2 });
    for (const it of house.made.filter((one) => one !== odd && one !== torn)) {
      expect((await house.find(it)).secrets[0]?.sealed).toMatch(/^s1:2:/);
    }
    expect((await findSource(world.db, tenantId, String(well)))?.revision).toBe(2);
    const dry = await countOlder(house.doors);
    expect(dry.left.toSorted()).toEqual([left[0], left[2]].toSorted());

    for (const it of [odd, torn]) await change(it, { deletedAt: 1 });
    await world.db.commit([{ kind: 'remove', table: 'inbox', key: sourceKey(broken) }]);
    expect((await rotateMasterKey(house.doors, house.plan)).left).toEqual([]);
    expect(house.ring().rotation).toBeUndefined();
  });

  it('can be done again, and opens what any version has sealed', async () => {
    const house = await installation(1);
    const [endpoint] = house.made as [Endpoint];
    await rotateMasterKey(house.doors, house.plan);
    await rotateMasterKey(house.doors, house.plan);
    expect(Object.keys(house.ring().keys)).toEqual(['1', '2', '3']);
    const masterKey = readMasterKey(house.read());
    expect(openSecrets(await house.find(endpoint), masterKey, 0)).toEqual([SECRET]);
    expect(openSecrets(endpoint, masterKey, 0)).toEqual([SECRET]);
  });
});

it('signs with secrets of two versions of the master key at once', async () => {
  const ids = world.ids;
  const [one, two] = ['a'.repeat(32), 'b'.repeat(32)];
  const ringOf = (current: number) => JSON.stringify({ current, keys: { 1: one, 2: two } });
  const name = { tenantId: 'ten_1', id: 'end_1' } as const;
  const secrets = [2, 1].flatMap((version) =>
    sealFirstSecret(name, SECRET, { masterKey: readMasterKey(ringOf(version)), ids }),
  );
  const endpoint = { ...(await newEndpoint(world, url)), ...name, secrets };
  expect(openSecrets(endpoint, readMasterKey(ringOf(2)), 0)).toEqual([SECRET, SECRET]);
});

import { beforeAll, describe, expect, it } from 'vitest';
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
import {
  countOlder,
  type RotationStep,
  rotateMasterKey,
} from '../../functions/webhooks/rotate-master-key.ts';
import { newTenant } from '../support/world.ts';
import { type DeliveryWorld, deliveryWorld, newEndpoint, SECRET } from './delivery-world.ts';

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
    expect(await countOlder(house.doors)).toEqual({ endpoints: 5, older: 0 });
    const count = await rotateMasterKey(house.doors, house.plan);

    expect(count).toEqual({ endpoints: 5, older: 5 });
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
    expect(await countOlder(house.doors)).toEqual({ endpoints: 3, older: 0 });
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
    expect(await countOlder(house.doors)).toEqual({ endpoints: 4, older: 0 });
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
    expect(await countOlder(house.doors)).toEqual({ endpoints: 1, older: 0 });
    expect(await findEndpoint(world.db, gone.tenantId, gone.id)).toBeUndefined();
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

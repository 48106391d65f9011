import { beforeAll, describe, expect, it } from 'vitest';
import type { Db } from '../../functions/shared/world.ts';
import { findEndpoint } from '../../functions/webhooks/endpoint.store.ts';
import { useStillTime } from '../support/still-time.ts';
import { newTenant } from '../support/world.ts';
import { type Ask, webhooksApi } from './api.ts';
import { type DeliveryWorld, deliveryWorld, SECRET } from './delivery-world.ts';

useStillTime();

let world: DeliveryWorld;
let ask: Ask;
beforeAll(async () => {
  world = await deliveryWorld();
  ask = webhooksApi(world);
});

async function made() {
  const tenant = newTenant(world);
  const body = { url: 'http://127.0.0.1:4000/hook', secret: SECRET };
  const { id } = (await ask(tenant, 'POST /v1/endpoints', { body })).body;
  const path = `POST /v1/endpoints/${id}/secret/rotate`;
  return {
    rotate: (key: string, rotation: object = {}, api = ask) =>
      api(tenant, path, { body: rotation, key }),
    count: async () => (await findEndpoint(world.db, tenant, id))?.secrets.length,
  };
}

describe('a rotation of a secret that is asked for again with its key', () => {
  it('has made one secret, and says it again', async () => {
    const { rotate, count } = await made();
    const first = await rotate('k');
    const again = [await rotate('k'), await rotate('k'), await rotate('k')];
    expect(first.status).toBe(200);
    expect(again.map((it) => it.body)).toEqual([first.body, first.body, first.body]);
    expect([first, ...again].map((it) => it.headers['idempotent-replayed'])).toEqual([
      undefined,
      ...['true', 'true', 'true'],
    ]);
    expect(await count()).toBe(2);
    const other = await rotate('other');
    expect(other.body.secret).not.toBe(first.body.secret);
    expect((await rotate('k')).body).toEqual(first.body);
    expect(await count()).toBe(3);
  });

  it('is the same for copies that come at once', async () => {
    const { rotate, count } = await made();
    const answers = await Promise.all(Array.from({ length: 5 }, () => rotate('k')));
    expect(new Set(answers.map((it) => it.body.secret)).size).toBe(1);
    expect(await count()).toBe(2);
  });

  it('meets its own commit, the answer to which was lost', async () => {
    const { rotate, count } = await made();
    const lost: Set<string> = new Set();
    const commit: Db['commit'] = async (writes) => {
      const done = await world.db.commit(writes);
      if (lost.size > 0) return done;
      lost.add('the first');
      return { ok: false, reasons: writes.map(() => ({ code: 'conflict' }) as const) };
    };
    const first = await rotate('k', {}, webhooksApi({ ...world, db: { ...world.db, commit } }));
    expect([first.status, lost.size]).toEqual([200, 1]);
    expect((await rotate('k')).body).toEqual(first.body);
    expect(await count()).toBe(2);
  });

  it('is refused with another body, also where only the secret differs', async () => {
    const { rotate, count } = await made();
    const secret = (byte: number) => `whsec_${Buffer.alloc(24, byte).toString('base64')}`;
    await rotate('k', { secret: secret(1) });
    expect((await rotate('k', { secret: secret(1) })).body).toEqual({ secret: secret(1) });
    for (const body of [{ secret: secret(2) }, {}, { secret: secret(1), graceSeconds: 0 }]) {
      const { status, body: problem } = await rotate('k', body);
      expect([status, problem.code]).toEqual([422, 'idempotency_key_reused']);
    }
    expect(await count()).toBe(2);
  });

  it('is another one as soon as what it made has ended', async () => {
    const { rotate } = await made();
    const first = await rotate('k');
    await rotate('other', { graceSeconds: 0 });
    expect((await rotate('k')).body).not.toEqual(first.body);
  });
});

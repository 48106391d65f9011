import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { getAudit } from '../../functions/audit/read-audits.ts';
import { MINUTE_MS } from '../../functions/shared/units.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { AuditHouse } from './audit-house.ts';

let world: TestWorld;
let house: AuditHouse;
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(async () => {
  house = new AuditHouse(world);
  const [a, b] = [await house.ledger.open({}, '100'), await house.ledger.open()];
  const transfer = { type: 'transfer', sourceAccountId: a, destinationAccountId: b };
  await house.ledger.post('/v1/transactions', { ...transfer, amount: '1', currency: 'EUR' });
  await house.settle();
});

/** The same tenant, with a journal that cannot be listed. */
function broken(error = new Error('a bug')): AuditHouse {
  const query: TestWorld['db']['query'] = (it) =>
    it.table === 'ledger' && it.pk.includes('#J#') ? Promise.reject(error) : world.db.query(it);
  const worker = new AuditHouse({ ...house.world, db: { ...world.db, query } });
  return Object.assign(worker, { tenantId: house.tenantId });
}

/** What the sweeper does in so many minutes, and SQS: it hands a message over up to five times. */
async function live(worker: AuditHouse, auditId: string, minutes = 25): Promise<void> {
  type Left = { message: Parameters<AuditHouse['deliver']>[0]; receives: number };
  const left: Left[] = worker.messages().map((message) => ({ message, receives: 0 }));
  for (let minute = 0; minute < minutes; minute += 1) {
    const { status, dueMs = Infinity } = await house.find(auditId);
    const isDue = status === 'running' && dueMs <= world.clock.nowMs();
    if (isDue) left.push({ message: house.due(auditId), receives: 0 });
    for (const it of left) {
      if (it.receives === 5) continue;
      it.receives += 1;
      const isDone = await worker.deliver(it.message).then(
        () => true,
        () => false,
      );
      if (isDone) it.receives = 5;
    }
    world.clock.advance(MINUTE_MS);
  }
}

const shown = async (auditId: string) => {
  const call = { tenantId: house.tenantId, params: { id: auditId } };
  return (await getAudit.answer(call as never, world)).body;
};

describe('an audit with a step that always fails', () => {
  it('ends as failed, and says where', async () => {
    const { id } = await house.begin();

    const worker = broken();
    await live(worker, id);

    expect(await shown(id)).toMatchObject({
      status: 'failed',
      finishedAt: expect.any(String),
      error: {
        code: 'step_failed',
        detail: 'Step 0 (accounts) came to no end in 6 attempts.',
      },
    });
    expect(worker.failures).toBe(1);
    expect(house.messages()).toEqual([]);
  });

  it('is told of when the worker that gave it up died, and its message comes again', async () => {
    const { id } = await house.begin();
    house.messages();
    const { commit } = world.db;
    const gaveUp: TestWorld['db']['commit'] = async (writes) => {
      const answer = await commit(writes);
      const { status } = await house.find(id);
      return status === 'failed' ? Promise.reject(new Error('killed')) : answer;
    };
    const worker = broken();
    Object.assign(worker, {
      world: { ...worker.world, db: { ...worker.world.db, commit: gaveUp } },
    });
    for (let repeats = 0; (await house.find(id)).status === 'running'; repeats += 1) {
      expect(repeats).toBeLessThan(10);
      world.clock.set((await house.find(id)).dueMs ?? 0);
      await worker.deliver(house.due(id)).catch(() => undefined);
    }
    expect(worker.failures).toBe(0);

    await house.deliver(house.due(id));

    expect(house.failures).toBe(1);
  });

  it('makes room for another one, which knows nothing of it', async () => {
    const { id } = await house.begin();
    await live(broken(), id);

    const next = await house.audit();

    expect(next).toMatchObject({ status: 'clean', step: 1, repeats: 0 });
    expect((await house.find(id)).status).toBe('failed');
  });

  it('ends as well when its messages are lost, or parked, or kill the worker', async () => {
    const { id } = await house.begin();
    house.messages();
    let attempts = 0;

    for (let minute = 0; minute < 25; minute += 1) {
      let writes = 0;
      // Nothing is written any more after the attempt was counted.
      const commit: TestWorld['db']['commit'] = (it) => {
        writes += 1;
        return writes === 1 ? world.db.commit(it) : Promise.reject(new Error('killed'));
      };
      const dying = new AuditHouse({ ...house.world, db: { ...world.db, commit } });
      const before = await house.find(id);
      await dying.deliver(house.due(id)).catch(() => undefined);
      attempts += (await house.find(id)).repeats - before.repeats;
      world.clock.advance(MINUTE_MS);
    }

    expect((await house.find(id)).status).toBe('failed');
    expect(attempts).toBe(5);
  });
});

describe('an audit with a step that fails for a while', () => {
  it('goes on, and begins to count anew with the next step', async () => {
    const { id } = await house.begin();
    await live(broken(), id, 8);
    const before = await house.find(id);
    expect(before.repeats).toBeGreaterThan(1);

    world.clock.set(before.dueMs ?? 0);
    await house.deliver(house.due(id), { rowsMax: 1, timeMaxMs: 20_000 });

    expect(await house.find(id)).toMatchObject({ status: 'running', step: 1, repeats: 0 });
    expect(await house.finish(id)).toMatchObject({ status: 'clean', violations: { L3: 0 } });
  });

  it('counts one attempt when the sweeper comes twice', async () => {
    const { id } = await house.begin();
    house.messages();
    const { dueMs = 0 } = await house.find(id);
    world.clock.set(dueMs);
    const worker = broken();

    const both = [house.due(id), house.due(id)].map((it) => worker.deliver(it));
    await Promise.allSettled(both);

    expect(await house.find(id)).toMatchObject({ repeats: 1, step: 0 });
  });

  it('saves nothing of an attempt that ends after it was given up', async () => {
    const { id } = await house.begin();
    const [message] = house.messages();
    if (!message) throw new Error('no message');
    const late = new AuditHouse(house.world);
    const { commit } = world.db;
    const slow = {
      ...world.db,
      commit: async (it: Parameters<typeof commit>[0]) => {
        await live(broken(), id);
        return commit(it);
      },
    };
    Object.assign(late, { tenantId: house.tenantId, world: { ...house.world, db: slow } });

    await late.deliver(message);

    expect((await house.find(id)).status).toBe('failed');
    expect((await house.audit()).status).toBe('clean');
  });
});

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { newAccount } from '../support/api.ts';
import { snapshotOf } from '../support/cloud.ts';
import { checkLedger } from '../support/invariants/ledger.ts';
import { checkTasks } from '../support/invariants/tasks.ts';
import { type TenantWithReceiver, tenantWithReceiver } from '../support/tenant-with-receiver.ts';
import { until } from '../support/until.ts';

interface Task {
  readonly id: string;
  readonly state: string;
  readonly dueAt: string;
  readonly firedAt?: string;
  readonly result?: {
    readonly eventId?: string;
    readonly transactionId?: string;
    readonly problem?: { readonly code: string };
  };
}

interface Webhook {
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly data: Readonly<Record<string, unknown>>;
}

let house: TenantWithReceiver;
beforeAll(async () => {
  house = await tenantWithReceiver(inject('cloud'));
});
afterAll(async () => {
  house.receiver.close();
  const snapshot = await snapshotOf(house.tenantId);
  expect([...checkTasks(snapshot), ...checkLedger(snapshot)]).toEqual([]);
});

async function schedule(body: object): Promise<Task> {
  const answer = await house.api.post<Task>('/v1/tasks', body);
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return answer.body;
}

const ended = async ({ id }: Task): Promise<Task> => {
  const { body } = await until(
    () => house.api.get<Task>(`/v1/tasks/${id}`),
    (it) => it.body.state !== 'scheduled',
  );
  return body;
};

const cancel = ({ id }: Task) => house.api.send(`/v1/tasks/${id}`, { method: 'DELETE' });

const webhooksOf = (type: string) =>
  house.accepted().filter((it) => it.type === type) as unknown as Webhook[];

const hello = (data: unknown) => ({ type: 'event', eventType: 'app.hello', data });

describe('a task', () => {
  it('sends its event at its time, never before', async () => {
    const task = await schedule({ delaySeconds: 2, action: hello({ who: 'Ada' }) });
    const fired = await ended(task);

    expect(fired.state).toBe('fired');
    expect(Date.parse(fired.firedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(task.dueAt));
    const [webhook] = await until(
      () => webhooksOf('app.hello'),
      (it) => it.length > 0,
    );
    expect(webhook).toMatchObject({ id: fired.result?.eventId, data: { who: 'Ada' } });
    const late = await cancel(task);
    expect([late.status, late.body.code]).toEqual([409, 'task_already_fired']);
  });

  it('moves money, tells so, and tells when it may not', async () => {
    const accountId = await newAccount(house.api, '1000');
    const debit = (amount: string) => ({
      type: 'transaction',
      transaction: { type: 'debit', accountId, amount, currency: 'EUR' },
    });
    const [good, bad] = await Promise.all([
      schedule({ delaySeconds: 1, action: debit('300') }).then(ended),
      schedule({ delaySeconds: 1, action: debit('1001') }).then(ended),
    ]);

    expect([good.state, bad.state]).toEqual(['fired', 'failed']);
    expect(bad.result?.problem?.code).toBe('insufficient_funds');
    const { body } = await house.api.get<{ available: string }>(`/v1/accounts/${accountId}`);
    expect(body.available).toBe('700');
    for (const [type, task] of [
      ['task.fired', good],
      ['task.failed', bad],
    ] as const) {
      const [webhook] = await until(
        () => webhooksOf(type),
        (it) => it.length > 0,
      );
      expect(webhook?.data).toMatchObject({ id: task.id, state: task.state });
    }
  });

  it('never fires after its cancellation was confirmed, however close that is', async () => {
    const tasks = await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        schedule({ delaySeconds: 1, action: { ...hello({ n }), eventType: 'app.close' } }),
      ),
    );
    const dueMs = Math.max(...tasks.map((it) => Date.parse(it.dueAt)));
    await until(
      () => Date.now(),
      (now) => now >= dueMs - 30,
    );
    const answers = await Promise.all(tasks.map(cancel));
    const fired = await Promise.all(
      answers.map(async ({ status, body }, n) => {
        const { state } = (await house.api.get<Task>(`/v1/tasks/${tasks[n]?.id}`)).body;
        expect([status, body.code ?? state]).toEqual(
          status === 200 ? [200, 'cancelled'] : [409, 'task_already_fired'],
        );
        return state === 'fired' ? [n] : [];
      }),
    );
    const sent = await until(
      () => webhooksOf('app.close'),
      (it) => it.length >= fired.flat().length,
    );
    expect(sent.map((it) => it.data.n as number).toSorted((a, b) => a - b)).toEqual(fired.flat());
  });
});

it('300 tasks of one second fire once each, and none of them early', async () => {
  const dueAt = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 6_000).toISOString();
  const indexes = Array.from({ length: 300 }, (_, n) => n);
  const action = (n: number) => ({ ...hello({ n }), eventType: 'app.many' });
  for (let start = 0; start < indexes.length; start += 30) {
    const some = indexes.slice(start, start + 30);
    await Promise.all(some.map((n) => schedule({ dueAt, action: action(n) })));
  }
  const sent = await until(
    () => webhooksOf('app.many'),
    (it) => it.length >= indexes.length,
  );
  expect(sent.map((it) => it.data.n as number).toSorted((a, b) => a - b)).toEqual(indexes);
  expect(sent.filter((it) => it.timestamp < dueAt)).toEqual([]);
  const { body } = await house.api.get<{ data: Task[] }>('/v1/tasks');
  expect(body.data).toEqual([]);
});

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Body, newAccount } from '../support/api.ts';
import { type TenantWithReceiver, tenantWithReceiver } from '../support/tenant-with-receiver.ts';
import { until } from '../support/until.ts';
import { uploadFile } from '../support/upload.ts';

let house: TenantWithReceiver;
beforeAll(async () => {
  const retry = { maxAttempts: 5, schedule: [1] };
  house = await tenantWithReceiver(inject('cloud'), { retry });
  // Whatever wants to be refused once is.
  house.receiver.behave({
    decide: ({ attempt, body }) =>
      attempt === 1 && body.includes('refuse-me') ? { status: 500 } : undefined,
  });
});
afterAll(() => house.receiver.close());

const newTrace = () => `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;

/** Every webhook that carries this trace: its type, and the attempt where that is not the first. */
const seen = (trace: string) =>
  house.receiver.received
    .filter(({ headers }) => headers.traceparent === trace)
    .map(({ body, attempt }) => {
      const { type } = JSON.parse(body.toString()) as { type: string };
      return attempt === 1 ? type : `${type} ${attempt}`;
    })
    .sort();

/** Waits until just these have come with it. */
async function arrive(trace: string, ...types: string[]): Promise<void> {
  const got = await until(
    () => seen(trace),
    (it) => it.length >= types.length,
  );
  expect(got).toEqual(types.sort());
}

/** A request with a trace of its own. */
async function post(path: string, body?: object) {
  const trace = newTrace();
  const answer = await house.api.post<Body & { id: string }>(path, body, { traceparent: trace });
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return { trace, ...answer.body };
}

const event = (type: string, data: unknown = null) => ({ type, data });
const credit = (accountId: string) => ({
  ...{ type: 'credit', accountId, amount: '100', currency: 'EUR' },
});

describe('the traceparent of a request is on the webhooks that follow from it', () => {
  it('of events and alerts, alone and in a batch, also when they are sent again', async () => {
    const single = await post('/v1/events', event('trace.one', 'refuse-me'));
    const batch = await post('/v1/events/batch', { events: [event('trace.a'), event('trace.b')] });
    const { endpointId } = house;
    const alert = await post('/v1/alerts', { endpointId, userId: 'u1' });
    await arrive(single.trace, 'trace.one', 'trace.one 2');
    await arrive(batch.trace, 'trace.a', 'trace.b');
    await arrive(alert.trace, 'alert');

    const id = `dlv_${endpointId.slice(4)}${single.id.slice(4)}`;
    // What has arrived is not on record yet.
    await until(
      () => house.api.get<Body>(`/v1/deliveries/${id}`),
      ({ body }) => body.status === 'delivered',
    );
    const again = await house.api.post(`/v1/deliveries/${id}/retry?force=true`);
    expect(again.status, JSON.stringify(again.body)).toBeLessThan(300);
    await arrive(single.trace, 'trace.one', 'trace.one 2', 'trace.one 3');
  });

  it('of accounts and of all that moves money', async () => {
    const account = await post('/v1/accounts', { currency: 'EUR' });
    await arrive(account.trace, 'account.created');
    const a = account.id;
    const posted = await post('/v1/transactions', credit(a));
    const both = await post('/v1/transactions/batch', {
      atomic: true,
      transactions: [credit(a), credit(a)],
    });
    const reversal = await post(`/v1/transactions/${posted.id}/reversals`, {});
    const destinationAccountId = await newAccount(house.api);
    const hold = { accountId: a, amount: '10', currency: 'EUR', destinationAccountId };
    const held = await post('/v1/holds', hold);
    const captured = await post(`/v1/holds/${held.id}/capture`, {});
    const other = await post('/v1/holds', hold);
    const voided = await post(`/v1/holds/${other.id}/void`);

    await arrive(posted.trace, 'transaction.posted');
    await arrive(both.trace, 'transaction.posted', 'transaction.posted');
    await arrive(reversal.trace, 'transaction.posted');
    await arrive(held.trace, 'hold.created');
    await arrive(captured.trace, 'hold.captured');
    await arrive(voided.trace, 'hold.voided');
  });

  it('of tasks and of webhooks of others, which are told of later', async () => {
    const accountId = await newAccount(house.api);
    const soon = (action: object) => ({ delaySeconds: 1, action });
    const hello = { type: 'event', eventType: 'trace.task', data: null };
    const told = await post('/v1/tasks', soon(hello));
    const paid = await post(
      '/v1/tasks',
      soon({ type: 'transaction', transaction: credit(accountId) }),
    );
    const taken = await post('/v1/webhooks', { order: 7 });
    await arrive(told.trace, 'trace.task');
    await arrive(paid.trace, 'transaction.posted', 'task.fired');
    await arrive(taken.trace, 'inbox.received');
  });

  it('of a file, on what is told of it and on each alert, also on its retry', async () => {
    const trace = newTrace();
    const content = 'user_id\nu1\nu2\nrefuse-me\n';
    const { endpointId } = house;
    await uploadFile(house.api, { content, endpointId }, { traceparent: trace });
    await arrive(trace, 'file.ready', 'alert', 'alert', 'alert', 'alert 2', 'file.completed');
  });
});

it.each([
  ['in capitals', newTrace().toUpperCase()],
  ['of a version that is none', newTrace().replace(/^00/, 'ff')],
  ['of zeros', `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`],
  ['with more behind it', `${newTrace()}-00`],
])('a traceparent %s is left out', async (_what, traceparent) => {
  const type = `none.t${randomBytes(4).toString('hex')}`;
  const { status } = await house.api.post('/v1/events', event(type), { traceparent });
  expect(status).toBe(202);
  const [webhook] = await until(
    () => house.receiver.received.filter(({ body }) => body.includes(`"${type}"`)),
    (it) => it.length > 0,
  );
  expect(webhook?.headers.traceparent).toBeUndefined();
});

import { idOf, type Walk } from './walk.ts';

/** One task that is moved and cancelled, and two that move money: one may, and one may not. */
export async function walkTasks(walk: Walk, accountId: string): Promise<void> {
  const reminder = {
    type: 'event',
    eventType: 'invoice.due',
    data: { invoiceId: 'invoice-7', customer: 'customer-17' },
  };
  const task = await walk.call('createTask', {
    body: { dueAt: '2030-12-01T09:00:00+01:00', action: reminder, metadata: { team: 'billing' } },
  });
  const params = idOf(task);
  await walk.call('getTask', { params });
  await walk.call('updateTask', { params, body: { delaySeconds: 86_400 } });
  await walk.call('listTasks', { until: ({ data }) => Number(data?.length) === 1 });
  await walk.call('cancelTask', { params });
  await walk.refused('task_cancelled', 'updateTask', { params, body: { delaySeconds: 60 } });
  await walk.refused('invalid_due_time', 'createTask', {
    body: { dueAt: '2020-01-01T00:00:00Z', action: reminder },
  });
  const fired = await walkPayment(walk, { accountId, amount: '100' });
  await walkPayment(walk, { accountId, amount: '99999999' });
  await walk.refused('task_already_fired', 'cancelTask', { params: idOf(fired) });
}

async function walkPayment(walk: Walk, money: { accountId: string; amount: string }) {
  const transaction = { type: 'debit', ...money, currency: 'EUR' };
  const action = { type: 'transaction', transaction };
  const task = await walk.setUp('createTask', { body: { delaySeconds: 0, action } });
  return walk.setUp('getTask', {
    params: idOf(task),
    until: ({ state }) => String(state) !== 'scheduled',
  });
}

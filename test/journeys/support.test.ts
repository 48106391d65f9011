import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Body, newAccount } from '../support/api.ts';
import { fieldOf, type LogLine, type LogQuery, queriesIn } from '../support/log-query.ts';
import { type TenantWithReceiver, tenantWithReceiver } from '../support/tenant-with-receiver.ts';
import { until } from '../support/until.ts';
import { settledFile, uploadFile } from '../support/upload.ts';

const { logFile, ...cloud } = inject('cloud');

let house: TenantWithReceiver;
/** What the queries of the page ask for, in place of its examples. */
const ids: Record<string, string> = {};

beforeAll(async () => {
  house = await tenantWithReceiver(cloud, { retry: { maxAttempts: 3, schedule: [1] } });
  // The first attempts at the event and at one user of the file fail, without an answer.
  house.receiver.behave({
    decide: ({ attempt, body }) =>
      attempt === 1 && body.includes('refuse-me') ? 'reset' : undefined,
  });
  Object.assign(ids, { ten: house.tenantId, end: house.endpointId });
  await work();
});
afterAll(() => house.receiver.close());

/** One of everything that the page speaks of, and what it came to. */
async function work(): Promise<void> {
  const { api, endpointId } = house;
  const trace = randomBytes(16).toString('hex');
  const traced = { traceparent: `00-${trace}-${randomBytes(8).toString('hex')}-01` };
  const event = { type: 'support.asked', data: 'refuse-me' };
  const sent = await api.post<{ id: string }>('/v1/events', event, traced);
  Object.assign(ids, { trace, evt: sent.body.id });

  const accountId = await newAccount(api);
  const credit = { type: 'credit', accountId, amount: '5', currency: 'EUR' };
  const once = { 'idempotency-key': 'once' };
  await api.post('/v1/transactions', credit, once);
  await api.post('/v1/transactions', credit, once);
  const refused = await api.post('/v1/transactions', { ...credit, type: 'debit', amount: '6' });
  expect(refused.status).toBe(422);

  const hello = { type: 'event', eventType: 'support.task', data: null };
  await api.post('/v1/tasks', { delaySeconds: 1, action: hello });
  await api.post('/v1/webhooks', { order: 7 });
  const content = 'user_id\nu1\nrefuse-me\n';
  const { id } = await uploadFile(api, { content, endpointId });
  await settledFile(api, id);
  ids.fil = id;
  await until(
    () => api.get<Body>(`/v1/events/${ids.evt}`),
    ({ body }) => JSON.stringify(body).includes('"delivered"'),
  );
  await until(linesOfRun, (lines) =>
    ['task.ended', 'receipt.ended'].every((name) => lines.some((it) => it.event === name)),
  );
}

/** What functions have logged about this tenant's things. */
function linesOfRun(): LogLine[] {
  const text = readFileSync(logFile ?? '', 'utf8');
  return text.split('\n').flatMap((it) => {
    const from = it.indexOf('{');
    if (from < 0 || !it.includes(house.tenantId)) return [];
    try {
      return [JSON.parse(it.slice(from)) as LogLine];
    } catch {
      return [];
    }
  });
}

/** The request of which the page's examples speak: that which was refused, or that of the event. */
function requestFor(query: LogQuery): string {
  const requests = linesOfRun().filter((it) => it.event === 'http.request');
  const isRefusal = query.fields.includes('problem');
  const found = requests.find((it) =>
    isRefusal ? it.problem !== undefined : fieldOf(it, 'events.0') === ids.evt,
  );
  return String(found?.requestId);
}

/** The query with the ids of this run in place of its examples. */
function asked(query: LogQuery): LogQuery {
  const text = query.text
    .replace(/\b(evt|ten|end|fil)_0{26}/g, (_example, prefix) => ids[prefix] ?? '')
    .replace(/req_0{26}/, () => requestFor(query))
    .replace('0af7651916cd43dd8448eb211c80319c', ids.trace ?? '');
  return queriesIn(`\`\`\`sql\n${text}\`\`\``)[0] ?? query;
}

describe('docs/support.md', () => {
  const queries = queriesIn(readFileSync('docs/support.md', 'utf8'));

  it('answers each of its questions by a query', () => {
    expect(queries.length).toBeGreaterThanOrEqual(8);
  });

  it.each(queries.map((it) => [it.text.trim(), it] as const))(
    'finds lines with all fields that it shows:\n%s',
    async (_text, query) => {
      const found = await until(
        () => linesOfRun().filter(asked(query).accepts),
        (lines) => missingIn(lines, query).length === 0,
      ).catch(() => linesOfRun().filter(asked(query).accepts));

      expect(found.length, 'no line fits').toBeGreaterThan(0);
      expect(missingIn(found, query), JSON.stringify(found).slice(0, 2_000)).toEqual([]);
    },
  );

  it('can join every line about a delivery by its event, endpoint, tenant and delivery', () => {
    const lines = linesOfRun().filter(({ event }) => String(event).startsWith('delivery.'));

    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      expect(line).toMatchObject({
        tenantId: house.tenantId,
        endpointId: house.endpointId,
        eventId: expect.stringMatching(/^evt_/),
        deliveryId: expect.stringMatching(/^dlv_/),
      });
    }
  });
});

/** Fields that none of the lines has. */
function missingIn(lines: readonly LogLine[], { fields }: LogQuery): string[] {
  return fields.filter((name) => lines.every((it) => fieldOf(it, name) === undefined));
}

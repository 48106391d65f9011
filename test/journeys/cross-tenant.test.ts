import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { allRoutes } from '../../functions/operations/all-routes.ts';
import type { Contract } from '../../functions/shared/http/route.ts';
import { newAccount, newTenantOf, type TestTenant } from '../support/api.ts';
import {
  type IdPlace,
  idPlaces,
  namelessIds,
  nobodysId,
  requestWith,
  type Written,
} from '../support/foreign-ids.ts';
import { routeKey } from '../support/fuzz/call.ts';
import { startSink } from '../support/fuzz/campaign.ts';
import { diceOf } from '../support/fuzz/dice.ts';
import { Pool } from '../support/fuzz/pool.ts';
import { sensibleValues } from '../support/fuzz/sensible-values.ts';
import { until } from '../support/until.ts';

const { apiUrl, adminKey } = inject('cloud');
const dice = diceOf(1);

interface Household {
  readonly tenant: TestTenant;
  /** The ids of everything that it has. */
  readonly pool: Pool;
}

let alice: Household;
let bob: Household;
let sink: Awaited<ReturnType<typeof startSink>>;
let before: string;
beforeAll(async () => {
  sink = await startSink();
  [alice, bob] = await Promise.all([household(sink.url), household(sink.url)]);
  await atRest(alice);
  before = await everythingOf(alice);
});

afterAll(async () => {
  sink.close();
  expect(await everythingOf(alice)).toBe(before);
});

/** A tenant with one of each kind of object. Whoever adds a kind adds a line here. */
async function household(url: string): Promise<Household> {
  const tenant = await newTenantOf(apiUrl, adminKey);
  const pool = new Pool(sensibleValues(url));
  pool.learn(tenant.tenantId);
  const make = async (path: string, body: object) => {
    const answer = await tenant.api.post<{ id: string }>(path, body);
    expect(answer.status, `${path}: ${JSON.stringify(answer.body)}`).toBeLessThan(300);
    pool.learn(answer.body);
    return answer.body.id;
  };
  const accountId = await newAccount(tenant.api, '1000');
  pool.learn(accountId);
  const money = { accountId, amount: '5', currency: 'EUR' };
  await make('/v1/transactions', { type: 'credit', ...money });
  await make('/v1/holds', { ...money, destinationAccountId: '@world' });
  await make('/v1/keys', { name: 'second', scopes: ['ledger:read'] });
  const endpointId = await make('/v1/endpoints', { url, eventTypes: ['order.*'] });
  await make('/v1/files', { name: 'users.csv', size: 9, endpointId });
  const later = { type: 'event', eventType: 'order.due', data: 1 };
  await make('/v1/tasks', { delaySeconds: 86_400, action: later });
  await make('/v1/sources', { name: 'Code', scheme: 'none' });
  const webhookId = await make('/v1/webhooks', { a: 1 });
  const eventId = await make('/v1/events', { type: 'order.made', data: 1, endpointId });
  const path = `/v1/deliveries?eventId=${eventId}&endpointId=${endpointId}`;
  const deliveries = await until(
    () => tenant.api.get<{ data: { status: string }[] }>(path),
    ({ body }) => body.data[0]?.status === 'delivered',
  );
  pool.learn(deliveries.body);
  await until(
    () => tenant.api.get<{ status: string }>(`/v1/webhooks/${webhookId}`),
    ({ body }) => body.status === 'completed',
  );
  const [from, to] = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'];
  const replayId = await make('/v1/replays', { endpointId, from, to });
  await until(
    () => tenant.api.get<{ status: string }>(`/v1/replays/${replayId}`),
    ({ body }) => body.status === 'done',
  );
  const auditId = await make('/v1/audit', {});
  await until(
    () => tenant.api.get<{ status: string }>(`/v1/audit/${auditId}`),
    ({ body }) => body.status !== 'running',
  );
  return { tenant, pool };
}

/** Until nothing of it changes by itself: its events are relayed, and its statements follow. */
async function atRest({ tenant: { api }, pool }: Household): Promise<void> {
  await until(
    () => api.get<{ data: { relayedAt?: string }[] }>('/v1/events?limit=100'),
    ({ body }) => body.data.every(({ relayedAt }) => relayedAt !== undefined),
  );
  for (const id of pool.ids('acc')) {
    const { body: account } = await api.get<{ version: number }>(`/v1/accounts/${id}`);
    await until(
      () => api.get<{ upToSeq: number }>(`/v1/accounts/${id}/entries`),
      ({ body }) => body.upToSeq === account.version,
    );
  }
}

/** What the tenant sees of all that it has, one by one and in lists. */
async function everythingOf({ tenant, pool }: Household): Promise<string> {
  const readable = allRoutes.filter(
    ({ method, access, query }) =>
      method === 'GET' && access !== 'admin' && access !== 'public' && !needsFilter(query),
  );
  const answers = await Promise.all(
    readable.flatMap((contract) => {
      const places = idPlaces(contract).filter(({ where }) => where === 'params');
      const paths = contract.path.includes('{')
        ? places.flatMap(({ prefix }) =>
            pool.ids(prefix).map((id) => contract.path.replace(/\{\w+\}/, id)),
          )
        : [contract.path];
      return paths.map(async (path) => {
        const answer = await tenant.api.get(path);
        expect(answer.status, path).toBe(200);
        // The form of an upload is signed anew each time.
        const { upload: _form, ...body } = answer.body;
        return `${path} ${JSON.stringify(body)}`;
      });
    }),
  );
  return answers.join('\n');
}

function needsFilter(query: Contract['query']): boolean {
  return query !== undefined && !query.safeParse({}).success;
}

async function sendAs({ tenant }: Household, { contract, target, headers, body }: Written) {
  const answer = await fetch(apiUrl + target, {
    method: contract.method,
    headers: { ...headers, authorization: `Bearer ${tenant.key}` },
    ...(body !== undefined && { body }),
  });
  return { status: answer.status, text: await answer.text(), target };
}

/** What is left of an answer when ids, times and counts are taken out. */
function essence({ status, text, target }: { status: number; text: string; target: string }) {
  const path = target.split('?')[0] ?? '';
  const told = text
    .replaceAll(path, '<path>')
    .replaceAll(/[a-z]{3}_[0-9A-Z]{26,52}/g, '<id>')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replaceAll(/"-?\d+"/g, '<amount>')
    .replaceAll(/"(version|seq)":\d+/g, '<count>');
  return `${status} ${told}`;
}

// Whoever sends to a source needs no key: a signature shows who may.
const places = allRoutes.filter(({ access }) => access !== 'public').flatMap(idPlaces);
const named = (list: readonly IdPlace[]) =>
  list.map((it) => [`${routeKey(it.contract)}, ${it.prefix}_ in its ${it.where}`, it] as const);

it.each(named(places))('%s: there is one of another tenant to probe with', (_name, { prefix }) => {
  expect(alice.pool.ids(prefix), `household() makes no ${prefix}_`).not.toEqual([]);
});

it('every id that a route takes says of what it is, so that it can be probed', () => {
  const nameless = allRoutes.flatMap((it) => namelessIds(it).map((name) => [routeKey(it), name]));

  expect(nameless).toEqual([]);
});

/** Every kind of object that a tenant has, so that no id opens a door that is not its own. */
const KINDS = [...new Set(places.map((it) => it.prefix))];

describe.each(named(places.filter(({ where }) => where === 'params')))('%s', (_name, place) => {
  it.each(KINDS)('answers a %s_ of another tenant like that of nobody', async (kind) => {
    const request = requestWith(place, bob.pool, dice);
    const nobodys = await sendAs(bob, request(nobodysId(place.prefix)));
    for (const id of alice.pool.ids(kind)) {
      const theirs = await sendAs(bob, request(id));
      expect(essence(theirs)).toBe(essence(nobodys));
    }
    const { access } = place.contract;
    if (access !== 'public') expect(nobodys.status).toBe(access === 'admin' ? 403 : 404);
  });
});

describe.each(named(places.filter(({ where }) => where !== 'params')))('%s', (_name, place) => {
  it('answers that of another tenant like that of nobody', async () => {
    for (let n = 0; n < 5; n += 1) {
      const request = requestWith(place, bob.pool, dice);
      const ask = async (id: string) => essence(await sendAs(bob, request(id)));
      const before = await ask(nobodysId(place.prefix));
      const theirs = await Promise.all(alice.pool.ids(place.prefix).map(ask));
      // What is asked for may change an object of one's own by and by: a task fires.
      const after = await ask(nobodysId(place.prefix));
      for (const answer of theirs) expect([before, after]).toContain(answer);
    }
  });
});

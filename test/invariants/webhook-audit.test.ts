import { expect, it } from 'vitest';
import { eventKey, insertEvent } from '../../functions/events/event.store.ts';
import { openIds } from '../../functions/shared/ids/ulid.ts';
import type { Item, Key } from '../../functions/shared/world.ts';
import { deliveryKey } from '../../functions/webhooks/delivery.store.ts';
import { auditWebhooks, type Deeds } from '../soak/webhook-audit.ts';
import type { Tables } from '../soak/webhook-tables.ts';
import { WireLog } from '../soak/wire-log.ts';

const NOW_MS = Date.UTC(2026, 10, 21, 12);
const TENANT = 'ten_01M7ZH7XZBJS136VA8BVJF8JMT';
const OTHER = 'ten_01M7ZH7XZBJS136VA8BVJF8JMV';
/** Of which the second goes to two endpoints. */
const SENT = ['ok', 'slow', 'refusing'];

interface Scene {
  readonly deeds: Deeds & { readonly receivers: { readonly logs: Map<string, WireLog> } };
  readonly outbox: Item[];
  readonly deliveries: Item[];
}

/** Three events that went as they should, in pages of two rows. */
function scene(): Scene {
  const ids = openIds(() => NOW_MS);
  const names = ['ok', 'slow', 'copy', 'refusing'];
  const endpoints = new Map(names.map((it) => [it, ids.next('end')]));
  const logs = new Map(names.map((it) => [it, new WireLog(it)]));
  const outbox: Item[] = [];
  const deliveries: Item[] = [];
  for (const [n, kind] of SENT.entries()) {
    const id = ids.next('evt');
    const event = { id, tenantId: TENANT, type: `soak.${kind}`, occurredAtMs: NOW_MS };
    const to = kind === 'slow' ? ['slow', 'copy'] : [kind];
    const sentTo = new Set(to.flatMap((it) => endpoints.get(it) ?? []));
    const write = insertEvent({ ...event, data: JSON.stringify({ n }) });
    if (write.kind !== 'put') throw new Error('an event is put');
    outbox.push({ ...write.item, relayedAt: NOW_MS, sentTo });
    for (const it of to) {
      deliveries.push(rowOf(String(endpoints.get(it)), event));
      logs.get(it)?.arrive({ n, id, bodyId: id, body: Buffer.from(''), marked: false })(
        kind === 'refusing' ? 'refused' : 'accepted',
      );
    }
  }
  const tenants = [
    { tenantId: TENANT, endpoints },
    { tenantId: OTHER, endpoints: new Map([['hanging', ids.next('end')]]) },
  ];
  const deeds = { receivers: { logs }, tenants, kinds: SENT, killed: 0 };
  return { deeds, outbox, deliveries };
}

function rowOf(endpointId: string, { id, type }: { id: string; type: string }): Item {
  const status = type === 'soak.refusing' ? 'exhausted' : 'delivered';
  return {
    ...deliveryKey({ tenantId: TENANT, endpointId, eventId: id }),
    ...{ type, status, seq: 1, spent: 1, token: 'x', createdAt: NOW_MS, attempts: [] },
  };
}

function tablesOf(scene: Scene): Tables {
  const isAt = (key: Key) => (item: Item) => item.pk === key.pk && item.sk === key.sk;
  return {
    async *pages(table) {
      for (let at = 0; at < scene[table].length; at += 2) yield scene[table].slice(at, at + 2);
    },
    async find(table, keys) {
      return keys.map((key) => scene[table].find(isAt(key))).filter((it) => it !== undefined);
    },
  };
}

async function findingsOf(change: (scene: Scene) => void = () => undefined): Promise<string[]> {
  const changed = scene();
  change(changed);
  return [...(await auditWebhooks(changed.deeds, tablesOf(changed))).violations];
}

it('has nothing against what went as it should, and counts it', async () => {
  const clean = scene();
  expect(await auditWebhooks(clean.deeds, tablesOf(clean))).toEqual({
    violations: [],
    deliveries: 4,
    byStatus: { delivered: 3, exhausted: 1 },
  });
});

it.each<[string, (scene: Scene) => void, string]>([
  ['a lost event', ({ outbox }) => outbox.splice(0, 1), 'the event 0 is not there'],
  ['an event that was taken twice', again, 'the event 0 is there twice'],
  [
    'an event of another tenant',
    ({ outbox }) => set(outbox[0], { tenant: OTHER }),
    `nobody sent evt_`,
  ],
  [
    'an event that nobody relayed',
    ({ outbox }) => set(outbox[0], { relayedAt: undefined }),
    'never relayed',
  ],
  ['an endpoint that was left out', leaveOut, 'ok 0 has no delivery'],
  ['a delivery that is missing', ({ deliveries }) => deliveries.splice(2, 1), 'copy 1 has no'],
  ['a delivery that nobody wanted', stray, 'O2 nobody wanted the delivery'],
  ['a delivery in the name of another tenant', borrow, 'O2 nobody wanted the delivery'],
  [
    'a delivery that is not at its end',
    ({ deliveries }) => set(deliveries[3], { status: 'held' }),
    'O3 the',
  ],
  [
    'an end that its receiver forbids',
    ({ deliveries }) => set(deliveries[3], { status: 'expired' }),
    'is exp',
  ],
  ['a success that nobody received', ({ deeds }) => deeds.receivers.logs.delete('ok'), 'not recei'],
  ['a failure that was received', receive, 'but was received'],
  ['a copy under the id of another event', rename, 'came as evt_'],
  [
    'what a receiver says',
    ({ deeds }) => deeds.receivers.logs.get('ok')?.violations.push('wire x'),
    'wire x',
  ],
])('finds %s', async (_, change, sentence) => {
  expect((await findingsOf(change)).join('\n')).toContain(sentence);
});

function set(row: Item | undefined, fields: object): void {
  Object.assign(row ?? {}, fields);
}

function again({ outbox }: Scene): void {
  const id = openIds(() => NOW_MS + 1).next('evt');
  outbox.push({ ...outbox[0], ...eventKey(TENANT, id), id });
}

function leaveOut({ outbox, deliveries }: Scene): void {
  Object.assign(outbox[0] ?? {}, { sentTo: new Set() });
  deliveries.splice(0, 1);
}

function stray({ deeds, deliveries }: Scene): void {
  const event = { id: openIds(() => NOW_MS + 1).next('evt'), type: 'soak.ok' };
  deliveries.push(rowOf(String(deeds.tenants[0]?.endpoints.get('ok')), event));
}

function borrow({ deliveries }: Scene): void {
  const [row] = deliveries;
  deliveries.push({ ...row, pk: String(row?.pk).replace(TENANT, OTHER) });
}

function receive({ deeds, outbox }: Scene): void {
  const id = String(outbox[2]?.id);
  const copy = { n: 2, id, bodyId: id, body: Buffer.from(''), marked: false };
  deeds.receivers.logs.get('refusing')?.arrive(copy)('accepted');
}

function rename({ deeds }: Scene): void {
  const log = new WireLog('ok');
  const copy = { n: 0, id: 'evt_x', bodyId: 'evt_x', body: Buffer.from(''), marked: false };
  log.arrive(copy)('accepted');
  deeds.receivers.logs.set('ok', log);
}

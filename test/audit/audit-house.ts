import { randomUUID } from 'node:crypto';
import { auditKey, findAudit } from '../../functions/audit/audit.store.ts';
import { type Audit, INVARIANTS } from '../../functions/audit/audit.ts';
import { AuditMessage } from '../../functions/audit/audit-message.ts';
import { createAudit } from '../../functions/audit/create-audit.ts';
import { type StepSize, takeAuditStep } from '../../functions/audit/take-step.ts';
import { expireHold } from '../../functions/ledger/expire-hold.ts';
import { projectEntries } from '../../functions/ledger/project-entries.ts';
import { journalKey } from '../../functions/ledger/transaction.store.ts';
import { MINUTE_MS } from '../../functions/shared/units.ts';
import type { Item, Key, TableName } from '../../functions/shared/world.ts';
import { type LedgerClient, ledgerClient } from '../ledger/ledger-client.ts';
import { scanTable } from '../support/invariants/snapshot.ts';
import { newTenant, type SentMessage, type TestWorld } from '../support/world.ts';

/** One tenant with a ledger, its statements, and audits of it. */
export class AuditHouse {
  readonly world: TestWorld;
  readonly tenantId: string;
  readonly ledger: LedgerClient;
  /** Values of the metric `AuditViolations`. */
  readonly alarms: number[] = [];
  /** Audits that came to no end. */
  failures = 0;

  constructor(world: TestWorld) {
    const count = (name: string, value = 1) => {
      if (name === 'AuditViolations') this.alarms.push(value);
      if (name === 'AuditsFailed') this.failures += 1;
    };
    this.world = { ...world, metrics: { count } };
    this.tenantId = newTenant(world);
    this.ledger = ledgerClient(world, this.tenantId);
  }

  /** Everything that is stored of the tenant. */
  async items(table: 'ledger' | 'statements' | 'outbox'): Promise<readonly Item[]> {
    return scanTable(this.world.client, this.world.tables[table], this.tenantId);
  }

  /** What ledger/on-posted does with all that was committed until now. */
  async project(): Promise<void> {
    const events = await this.items('outbox');
    const ofLedger = events.filter((it) => /^(transaction|hold)\./.test(String(it.type)));
    const records = ofLedger.map((item, at) => ({ item, sequenceNumber: String(at) }));
    await projectEntries(records, this.world);
  }

  /** Nothing that was committed is young any more, and the statements have it. */
  async settle(): Promise<void> {
    await this.project();
    this.world.clock.advance(15 * MINUTE_MS);
  }

  /** Changes a stored item behind everybody's back; undefined takes it away. */
  async tamper(
    table: TableName,
    key: Key,
    change: (item: Item) => Item | undefined,
  ): Promise<void> {
    const item = await this.world.db.get(table, key);
    if (!item) throw new Error(`there is no ${key.pk} ${key.sk}`);
    const changed = change(item);
    const write = changed
      ? ({ kind: 'put', table, item: { ...key, ...changed } } as const)
      : ({ kind: 'remove', table, key } as const);
    await this.world.db.commit([write]);
  }

  /** The same of a record of the journal. */
  tamperRecord(id: string, change: (item: Item) => Item | undefined): Promise<void> {
    return this.tamper('ledger', journalKey(this.tenantId, id), change);
  }

  /** The line of a transaction or hold on an account. */
  async lineKey(accountId: string, seq: number): Promise<Key> {
    const end = `#${String(seq).padStart(16, '0')}`;
    const isIt = ({ pk, sk }: Item) =>
      pk === `${this.tenantId}#${accountId}` && String(sk).endsWith(end);
    const line = (await this.items('statements')).find(isIt);
    if (!line) throw new Error(`${accountId} has no line ${seq}`);
    return { pk: String(line.pk), sk: String(line.sk) };
  }

  async eventKeyOf(id: string): Promise<Key> {
    const record = await this.world.db.get('ledger', journalKey(this.tenantId, id));
    const event = (await this.items('outbox')).find((it) => it.id === record?.event);
    if (!event) throw new Error(`${id} has no event`);
    return { pk: String(event.pk), sk: String(event.sk) };
  }

  /** Asks for an audit, as a caller would. */
  async begin(key: string | undefined = randomUUID(), fingerprint = 'v1:same') {
    const idempotency = key === undefined ? undefined : { key, fingerprint };
    const call = { tenantId: this.tenantId, idempotency };
    const answer = await createAudit.answer(call as never, this.world);
    const { id, status } = answer.body as { id: string; status: string };
    return { id, status, replayed: answer.replayed ?? false };
  }

  /** The messages of audits that were sent since the last time. */
  messages(): SentMessage[] {
    const { sent } = this.world;
    const mine = sent.filter((it) => it.queue === 'audits');
    sent.splice(0, sent.length, ...sent.filter((it) => it.queue !== 'audits'));
    return mine;
  }

  /** Hands a message to a worker, at its time. */
  async deliver(message: Pick<SentMessage, 'body' | 'atMs'>, size?: StepSize): Promise<void> {
    const { clock } = this.world;
    if ((message.atMs ?? 0) > clock.nowMs()) clock.set(message.atMs ?? 0);
    const deadlineMs = clock.nowMs() + MINUTE_MS;
    const body = AuditMessage.parse(message.body);
    await takeAuditStep(body, this.world, { deadlineMs, ...(size && { size }) });
  }

  /** As the sweeper would. */
  due(auditId: string) {
    return { body: { ...auditKey(this.tenantId, auditId), v: 1, dueMs: 0 } };
  }

  async find(auditId: string): Promise<Audit> {
    const audit = await findAudit(this.world.db, this.tenantId, auditId);
    if (!audit) throw new Error('the audit is gone');
    return audit;
  }

  /** An audit from its beginning to its end. */
  async audit(size?: StepSize): Promise<Audit> {
    const { id } = await this.begin();
    return this.finish(id, size);
  }

  /** Hands over each message until the audit is at its end. */
  async finish(auditId: string, size?: StepSize): Promise<Audit> {
    for (;;) {
      const [message] = this.messages();
      if (!message) return this.find(auditId);
      await this.deliver(message, size);
    }
  }
}

/** Invariants and offenders in short, as a test names them. */
export function foundBy({ violations, offenders }: Audit) {
  const counted = INVARIANTS.filter((it) => violations[it] > 0);
  return { counted, offenders: offenders.map((it) => `${it.invariant} ${it.id}`) };
}

/** What a tenant with all kinds of entries has. */
export interface Past {
  readonly a: string;
  readonly b: string;
  readonly fees: string;
  readonly transfer: string;
  readonly journal: string;
  readonly reversed: string;
  readonly reversal: string;
  readonly capture: string;
  readonly captured: string;
  readonly voided: string;
  readonly expired: string;
  readonly pending: string;
  /** An account with a minimum of -100, and what was posted to it: 10 came and 100 went. */
  readonly poor: string;
  readonly debits: readonly string[];
}

const currency = 'EUR';

/** Everything that the ledger can do, once: two limited accounts, and fees. */
export async function makePast(house: AuditHouse): Promise<Past> {
  const { ledger, world } = house;
  const post = async (target: string, body?: object) => {
    const answer = await ledger.post(target, body);
    if (answer.status >= 300) throw new Error(JSON.stringify(answer.body));
    world.clock.advance(1_000);
    return answer.body;
  };
  const a = await ledger.open({}, '1000');
  const b = await ledger.open({ minBalance: '-500', maxBalance: '100000' });
  const fees = await ledger.open({ mode: 'derived', externalId: 'fees' });
  await ledger.open({ currency: 'XYZ/6', minBalance: null }, '7');
  const move = (sourceAccountId: string, destinationAccountId: string, amount: string) => ({
    ...{ sourceAccountId, destinationAccountId, amount, currency },
  });
  const transfer = await post('/v1/transactions', { type: 'transfer', ...move(a, b, '300') });
  const journal = await post('/v1/transactions', {
    ...{ type: 'journal', reference: 'order-1', description: 'An order' },
    postings: [move(a, b, '20'), move(a, fees, '3'), move(b, '@world', '1')],
  });
  const reversed = await post('/v1/transactions', { type: 'transfer', ...move(b, a, '50') });
  const reversal = await post(`/v1/transactions/${reversed.id}/reversals`, {});
  await ledger.post('/v1/transactions', { type: 'transfer', ...move(b, a, '99999') });
  await post('/v1/transactions/batch', {
    atomic: true,
    transactions: [
      { type: 'transfer', ...move(a, b, '1') },
      { type: 'transfer', ...move(b, a, '2') },
    ],
  });
  const poor = await ledger.open({ minBalance: '-100' });
  const debits = [
    await post('/v1/transactions', { type: 'credit', accountId: poor, amount: '10', currency }),
    await post('/v1/transactions', { type: 'debit', accountId: poor, amount: '100', currency }),
  ];
  const expiresAt = new Date(world.clock.nowMs() + MINUTE_MS).toISOString();
  const hold = (more: object = {}) =>
    post('/v1/holds', { accountId: a, amount: '100', currency, destinationAccountId: b, ...more });
  const [captured, voided] = [await hold(), await hold()];
  const [expired, pending] = [await hold({ expiresAt }), await hold()];
  const { transaction } = await post(`/v1/holds/${captured.id}/capture`, { amount: '60' });
  await post(`/v1/holds/${voided.id}/void`);
  world.clock.advance(2 * MINUTE_MS);
  const { pk } = journalKey(house.tenantId, expired.id);
  await expireHold({ pk, dueMs: world.clock.nowMs() }, world);
  return {
    ...{ a, b, fees, transfer: transfer.id, journal: journal.id },
    ...{ reversed: reversed.id, reversal: reversal.id, capture: transaction.id },
    ...{ captured: captured.id, voided: voided.id, expired: expired.id, pending: pending.id },
    ...{ poor, debits: debits.map((it) => it.id) },
  };
}

import { setTimeout as wait } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { TableName } from '../../functions/shared/world.ts';
import type { LocalCloud } from '../../local/local-cloud.ts';
import { newTenantOf } from '../support/api.ts';
import { diceOf } from '../support/fuzz/dice.ts';
import { SNAPSHOT_TABLES, takeSnapshot } from '../support/invariants/snapshot.ts';
import { checkStatements } from '../support/invariants/statements.ts';
import { until } from '../support/until.ts';
import { type BankDay, runBank } from './bank.ts';
import { auditBank } from './bank-audit.ts';
import { httpTeller } from './http-teller.ts';

export interface CloudBankPlan {
  readonly clients: number;
  readonly seed: number;
  readonly seconds: number;
  /** Functions whose instances are killed all at once, in turn. */
  readonly victims: readonly string[];
  readonly killEveryMs: number;
  /** How long what is under way may take to settle after the last answer. */
  readonly settleMs: number;
}

export interface CloudBankResult {
  readonly day: BankDay;
  readonly killed: number;
  readonly violations: readonly string[];
}

const HANG_UP_SHARE = 0.03;

/**
 * A day at the bank over HTTP: clients hang up, and functions are killed in mid-flight. Then
 * everything has to settle: holds expire, statements follow, and the books are as was answered.
 */
export async function runCloudBank(
  cloud: LocalCloud,
  plan: CloudBankPlan,
): Promise<CloudBankResult> {
  const { clients, seed, seconds } = plan;
  const { tenantId, key } = await newTenantOf(cloud.apiUrl, cloud.adminKey);
  const dice = diceOf(seed);
  const teller = httpTeller({ apiUrl: cloud.apiUrl, key, dice, hangUpShare: HANG_UP_SHARE });
  const endMs = Date.now() + seconds * 1_000;
  const isOpen = () => Date.now() < endMs;
  const [day, killed] = await Promise.all([
    runBank(teller, { clients, seed, isOpen }),
    killInTurn(cloud, plan, isOpen),
  ]);
  return { day, killed, violations: await settledFaults(cloud, { day, tenantId }, plan) };
}

async function killInTurn(
  cloud: LocalCloud,
  { victims, killEveryMs }: CloudBankPlan,
  isOpen: () => boolean,
): Promise<number> {
  let killed = 0;
  for (let turn = 0; isOpen(); turn += 1) {
    await wait(killEveryMs);
    const victim = victims[turn % victims.length];
    if (victim !== undefined && isOpen()) killed += await cloud.killInstances(victim);
  }
  return killed;
}

async function settledFaults(
  cloud: LocalCloud,
  { day, tenantId }: { readonly day: BankDay; readonly tenantId: string },
  { settleMs }: CloudBankPlan,
): Promise<string[]> {
  const client = new DynamoDBClient({
    endpoint: cloud.endpoints.dynamodb,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  const names = Object.fromEntries(SNAPSHOT_TABLES.map((it) => [it, cloud.table(it)]));
  const deadlineMs = Date.now() + settleMs;
  const look = async () => {
    const all = await takeSnapshot(client, names as Record<TableName, string>);
    const ledger = all.ledger.filter((it) => String(it.pk).startsWith(`${tenantId}#`));
    const statements = all.statements.filter((it) => String(it.pk).startsWith(`${tenantId}#`));
    const late = ledger.filter(
      (it) => it.status === 'pending' && Number(it.expiresAt) < Date.now(),
    );
    return [
      ...late.map((it) => `D1 the hold ${it.id} is pending after its time`),
      ...auditBank(day, tenantId, all),
      ...checkStatements({ ledger, statements }),
    ];
  };
  const isOver = (faults: readonly string[]) => faults.length === 0 || Date.now() > deadlineMs;
  return until(look, isOver, 2 * settleMs);
}

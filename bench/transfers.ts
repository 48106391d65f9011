/**
 * Transfers per second over HTTP on the local cloud, against a raw loop of the same two calls (a
 * strongly consistent BatchGetItem, a TransactWriteItems of the same items) on an engine of its
 * own. Each client moves money between two accounts of its own. The relay and the statements work
 * along.
 *
 *   node bench/transfers.ts [seconds per round]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { paginateScan } from '@aws-sdk/client-dynamodb';
import { type BenchCloud, withBenchCloud } from './bench-cloud.ts';
import type { Body } from './json-client.ts';
import { formatRatio, type Measured, runLoad } from './load.ts';
import { localDynamo, openRawTransfers } from './raw-transfers.ts';

const measureMs = Number(process.argv[2] ?? 5) * 1_000;
const warmupMs = 2_000;
const WARM_MS = 15_000;
const CLIENTS = [1, 8, 32];
const CLIENTS_MAX = Math.max(...CLIENTS);
/** The two take turns, so that what else the machine does falls on both. */
const ROUNDS = 3;
const FUNDS = 1_000_000;

type Pair = readonly [source: string, destination: string];

async function openPair({ api }: BenchCloud): Promise<Pair> {
  const open = async () => String((await api.post('/v1/accounts', { currency: 'EUR' })).id);
  const pair: Pair = [await open(), await open()];
  const credit = { type: 'credit', accountId: pair[0], amount: String(FUNDS), currency: 'EUR' };
  await api.post('/v1/transactions', credit);
  return pair;
}

async function transfer({ api }: BenchCloud, [source, destination]: Pair): Promise<void> {
  await api.post('/v1/transactions', {
    type: 'transfer',
    sourceAccountId: source,
    destinationAccountId: destination,
    amount: '1',
    currency: 'EUR',
  });
}

/** Every transfer that was answered has moved one cent, and nothing else has. */
async function assertMoney({ api }: BenchCloud, pairs: readonly Pair[], moved: number) {
  let arrived = 0;
  for (const [source, destination] of pairs) {
    const balances = [source, destination].map(async (id) => {
      const account: Body = await api.get(`/v1/accounts/${id}`);
      return Number(account.balance);
    });
    const [left = 0, got = 0] = await Promise.all(balances);
    if (left + got !== FUNDS) throw new Error(`the money of ${source} is not conserved`);
    arrived += got;
  }
  if (arrived !== moved) throw new Error(`${moved} transfers moved ${arrived} cents`);
}

/** Waits until the relay has caught up, so that its work falls on nobody else's measurement. */
async function settle({ cloud }: BenchCloud): Promise<void> {
  const client = localDynamo(cloud.endpoints.dynamodb);
  const TableName = cloud.table('outbox');
  const FilterExpression = 'attribute_not_exists(relayedAt)';
  for (;;) {
    let open = 0;
    for await (const page of paginateScan({ client }, { TableName, FilterExpression })) {
      open += page.Count ?? 0;
    }
    if (open === 0) return;
    await sleep(200);
  }
}

const mean = (values: readonly number[]) =>
  Math.round(values.reduce((sum, it) => sum + it, 0) / values.length);

await withBenchCloud(async (bench) => {
  const raw = await openRawTransfers(bench, CLIENTS_MAX);
  const pairs: Pair[] = [];
  while (pairs.length < CLIENTS_MAX) pairs.push(await openPair(bench));
  let moved = 0;
  const overHttp = async (client: number) => {
    await transfer(bench, pairs[client] ?? ['', '']);
    moved += 1;
  };

  // An instance compiles its code while it works: a cold one takes twice the processor.
  await runLoad({ clients: 8, warmupMs: 0, measureMs: WARM_MS }, overHttp);

  const rows: Record<string, Measured> = {};
  const ratios: string[] = [];
  for (const clients of CLIENTS) {
    const rates: { raw: number[]; http: number[] } = { raw: [], http: [] };
    const load = { clients, warmupMs, measureMs };
    for (let round = 1; round <= ROUNDS; round += 1) {
      await settle(bench);
      const bare = await runLoad(load, raw.transfer);
      const http = await runLoad(load, overHttp);
      rows[`raw loop, ${clients} clients, round ${round}`] = bare;
      rows[`HTTP, ${clients} clients, round ${round}`] = http;
      rates.raw.push(bare.perSecond);
      rates.http.push(http.perSecond);
    }
    const title = `transfers / raw, ${clients} clients`;
    ratios.push(formatRatio(title, mean(rates.http), mean(rates.raw)));
  }
  await raw.stop();
  await assertMoney(bench, pairs, moved);

  console.table(rows);
  for (const ratio of ratios) console.log(ratio);
});

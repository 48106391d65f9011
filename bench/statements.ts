/**
 * Pages of a statement over HTTP on the local cloud, against a raw loop of the same two calls (a
 * GetItem of the account, a Query of its lines) on the same engine; and how long after the answer
 * to a transfer its line is in the statement.
 *
 *   node bench/statements.ts [seconds per round]
 */
import { GetItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { type BenchCloud, withBenchCloud } from './bench-cloud.ts';
import type { Body } from './json-client.ts';
import { formatRatio, type Measured, percentiles, runLoad } from './load.ts';
import { localDynamo } from './raw-transfers.ts';

const measureMs = Number(process.argv[2] ?? 5) * 1_000;
const warmupMs = 2_000;
const CLIENTS = [1, 8];
const LINES = 200;
const PAGE = 50;
const LAGS = 100;

async function openAccount({ api }: BenchCloud): Promise<string> {
  return String((await api.post('/v1/accounts', { currency: 'EUR' })).id);
}

async function credit({ api }: BenchCloud, accountId: string): Promise<number> {
  const about = { type: 'credit', accountId, amount: '1', currency: 'EUR' };
  const { entries }: Body = await api.post('/v1/transactions', about);
  const [, entry] = entries as readonly { readonly seq: number }[];
  return entry?.seq ?? Number.NaN;
}

async function readPage({ api }: BenchCloud, accountId: string): Promise<Body> {
  return api.get(`/v1/accounts/${accountId}/entries?limit=${PAGE}`);
}

/** Milliseconds until the statement has come to this entry. */
async function lagOf(bench: BenchCloud, accountId: string, seq: number): Promise<number> {
  const beganMs = performance.now();
  for (;;) {
    const { upToSeq } = await readPage(bench, accountId);
    if (upToSeq === seq) return performance.now() - beganMs;
  }
}

/** What a page costs without HTTP, keys, checks and rendering: the two calls to the tables. */
function rawPage({ cloud, tenantId }: BenchCloud, accountId: string): () => Promise<void> {
  const client = localDynamo(cloud.endpoints.dynamodb);
  const pk = { S: `${tenantId}#${accountId}` };
  const account = { TableName: cloud.table('ledger'), Key: { pk, sk: { S: '#' } } };
  const lines = {
    TableName: cloud.table('statements'),
    KeyConditionExpression: 'pk = :pk',
    ExpressionAttributeValues: { ':pk': pk },
    ScanIndexForward: false,
    Limit: PAGE + 1,
  };
  return async () => {
    await client.send(new GetItemCommand({ ...account, ConsistentRead: true }));
    const { Count } = await client.send(new QueryCommand({ ...lines, ConsistentRead: true }));
    if (Count !== PAGE + 1) throw new Error(`the statement has only ${Count} lines`);
  };
}

await withBenchCloud(async (bench) => {
  const accountId = await openAccount(bench);
  for (let n = 0; n < LINES - LAGS; n += 1) await credit(bench, accountId);
  const lags: number[] = [];
  for (let n = 0; n < LAGS; n += 1) {
    lags.push(await lagOf(bench, accountId, await credit(bench, accountId)));
  }

  const rows: Record<string, Measured> = {};
  const raw = rawPage(bench, accountId);
  const ratios: string[] = [];
  for (const clients of CLIENTS) {
    const load = { clients, warmupMs, measureMs };
    const bare = await runLoad(load, raw);
    const http = await runLoad(load, async () => void (await readPage(bench, accountId)));
    rows[`raw loop, ${clients} clients`] = bare;
    rows[`HTTP, ${clients} clients`] = http;
    const title = `pages of ${PAGE} / raw, ${clients} clients`;
    ratios.push(formatRatio(title, http.perSecond, bare.perSecond));
  }

  console.table(rows);
  const { p50Ms, p99Ms } = percentiles(lags);
  console.log(`from a credit's answer to its line: p50 ${p50Ms} ms, p99 ${p99Ms} ms`);
  for (const ratio of ratios) console.log(ratio);
});

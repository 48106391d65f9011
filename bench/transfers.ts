/**
 * Transfers per second over HTTP on the local cloud, against a raw loop of the same two calls (a
 * strongly consistent BatchGetItem, a TransactWriteItems of the same items) on the same engine.
 * Each client moves money between two accounts of its own. The relay works along.
 *
 *   node bench/transfers.ts [seconds]
 */
import { type BenchCloud, withBenchCloud } from './bench-cloud.ts';
import type { Body } from './json-client.ts';
import { formatRatio, type Measured, runLoad } from './load.ts';
import { openRawTransfers } from './raw-transfers.ts';

const measureMs = Number(process.argv[2] ?? 10) * 1_000;
const warmupMs = 3_000;
const COMPARED_CLIENTS = 8;
const CLIENTS = [1, COMPARED_CLIENTS, 32];
const CLIENTS_MAX = 32;
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

async function measureRaw(bench: BenchCloud): Promise<Measured> {
  const raw = await openRawTransfers(bench, COMPARED_CLIENTS);
  try {
    return await runLoad({ clients: COMPARED_CLIENTS, warmupMs, measureMs }, raw.transfer);
  } finally {
    await raw.stop();
  }
}

await withBenchCloud(async (bench) => {
  const raw = await measureRaw(bench);

  const pairs: Pair[] = [];
  while (pairs.length < CLIENTS_MAX) pairs.push(await openPair(bench));
  let moved = 0;
  const results = new Map<number, Measured>();
  for (const clients of CLIENTS) {
    const measured = await runLoad({ clients, warmupMs, measureMs }, async (client) => {
      await transfer(bench, pairs[client] ?? ['', '']);
      moved += 1;
    });
    results.set(clients, measured);
  }
  await assertMoney(bench, pairs, moved);

  const rows = [...results].map(([clients, it]) => [`HTTP, ${clients} clients`, it] as const);
  console.table(Object.fromEntries([...rows, [`raw loop, ${COMPARED_CLIENTS} clients`, raw]]));
  const product = results.get(COMPARED_CLIENTS)?.perSecond ?? 0;
  console.log(formatRatio(`transfers / raw, ${COMPARED_CLIENTS} clients`, product, raw.perSecond));
});

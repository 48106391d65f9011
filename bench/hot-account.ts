/**
 * Transfers over HTTP that all take from one account, against the same from 100 accounts by turns,
 * and answers to keys that were used before. A client that is told `busy` waits as long as it is
 * told, and tries again with the same key.
 *
 *   node bench/hot-account.ts [seconds per round]
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BenchCloud, withBenchCloud } from './bench-cloud.ts';
import { type Body, Refused } from './json-client.ts';
import { formatRatio, type Measured, runLoad } from './load.ts';

const measureMs = Number(process.argv[2] ?? 5) * 1_000;
const warmupMs = 2_000;
const CLIENTS = [8, 32];
const COLD = 100;
const FUNDS = 1_000_000;
const BUSY = 503;

async function openAccount({ api }: BenchCloud, funds = 0): Promise<string> {
  const { id } = await api.post('/v1/accounts', { currency: 'EUR' });
  const credit = { type: 'credit', accountId: id, amount: String(funds), currency: 'EUR' };
  if (funds > 0) await api.post('/v1/transactions', credit);
  return String(id);
}

const balanceOf = async ({ api }: BenchCloud, id: string) =>
  Number((await api.get<Body>(`/v1/accounts/${id}`)).balance);

/** Clients that pay from some accounts into one of their own each. */
class Payers {
  readonly #bench: BenchCloud;
  readonly #sources: readonly string[];
  readonly #destinations: string[] = [];
  #turn = 0;
  done = 0;
  busy = 0;

  constructor(bench: BenchCloud, sources: readonly string[]) {
    this.#bench = bench;
    this.#sources = sources;
  }

  async open(clients: number): Promise<void> {
    while (this.#destinations.length < clients) {
      this.#destinations.push(await openAccount(this.#bench));
    }
  }

  async pay(client: number): Promise<void> {
    this.#turn += 1;
    const body = {
      type: 'transfer',
      sourceAccountId: this.#sources[this.#turn % this.#sources.length],
      destinationAccountId: this.#destinations[client],
      amount: '1',
      currency: 'EUR',
    };
    const key = randomUUID();
    while (!(await this.#isPaid(body, key)));
  }

  async #isPaid(body: Body, key: string): Promise<boolean> {
    try {
      await this.#bench.api.post('/v1/transactions', body, key);
      this.done += 1;
      return true;
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== BUSY) throw error;
      this.busy += 1;
      await sleep(error.retryAfterMs);
      return false;
    }
  }

  /** Every payment that was answered has moved one cent, and nothing else has. */
  async assertMoney(): Promise<void> {
    let moved = 0;
    for (const id of this.#destinations) moved += await balanceOf(this.#bench, id);
    let left = 0;
    for (const id of this.#sources) left += await balanceOf(this.#bench, id);
    if (moved !== this.done || left !== this.#sources.length * FUNDS - this.done) {
      throw new Error(`${this.done} payments moved ${moved} cents`);
    }
  }
}

await withBenchCloud(async (bench) => {
  const hot = new Payers(bench, [await openAccount(bench, FUNDS)]);
  const sources: string[] = [];
  while (sources.length < COLD) sources.push(await openAccount(bench, FUNDS));
  const cold = new Payers(bench, sources);

  const rows: Record<string, Measured & { readonly busy?: string }> = {};
  const ratios: string[] = [];
  for (const clients of CLIENTS) {
    const load = { clients, warmupMs, measureMs };
    const measured: number[] = [];
    for (const [name, payers] of Object.entries({
      'one hot account': hot,
      '100 cold ones': cold,
    })) {
      await payers.open(clients);
      const [done, busy] = [payers.done, payers.busy];
      const row = await runLoad(load, (client) => payers.pay(client));
      const told = payers.busy - busy;
      const share = `${((100 * told) / (told + payers.done - done)).toFixed(1)} %`;
      rows[`${name}, ${clients} clients`] = { ...row, busy: share };
      measured.push(row.perSecond);
    }
    const [ofHot = 0, ofCold = 0] = measured;
    ratios.push(formatRatio(`hot / cold, ${clients} clients`, ofHot, ofCold));
  }
  await hot.assertMoney();
  await cold.assertMoney();

  const credit = { type: 'credit', accountId: sources[0], amount: '1', currency: 'EUR' };
  await bench.api.post('/v1/transactions', credit, 'replayed');
  const load = { clients: 8, warmupMs, measureMs };
  rows['replays of one key, 8 clients'] = await runLoad(load, async () => {
    await bench.api.post('/v1/transactions', credit, 'replayed');
  });

  console.table(rows);
  for (const ratio of ratios) console.log(ratio);
});

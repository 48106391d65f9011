/**
 * The alerts of a file through the local cloud, from its upload to the receiver: how long until the
 * first and the last, and how many a second in between, against a bare loop that signs and POSTs
 * the same body with as many connections as the cloud had open at most.
 *
 *   node bench/alerts.ts [users]
 */
import { barePost } from './bare-post.ts';
import { type BenchCloud, withBenchCloud } from './bench-cloud.ts';
import { formatRatio, runLoad } from './load.ts';
import { type BenchReceiver, startBenchReceiver } from './receiver-thread.ts';

const USERS = Number(process.argv[2] ?? 20_000);
const WARMUP_USERS = 2_000;
/** At once, and as from somewhere on the internet. */
const DELAYS_MS = [0, 50];

interface Announced {
  readonly upload: { readonly url: string; readonly fields: Readonly<Record<string, string>> };
}

interface Run {
  readonly users: number;
  /** From the end of the upload. */
  readonly firstAfterMs: number;
  readonly lastAfterMs: number;
  /** Between the first and the last. */
  readonly perSecond: number;
  readonly openMax: number;
  readonly doubles: number;
}

function contentOf(users: number): string {
  const lines = Array.from({ length: users }, (_, n) => `user-${n},"Zoë ${n % 97}",Kraków\n`);
  return `user_id,first_name,city\n${lines.join('')}`;
}

async function upload({ api }: BenchCloud, endpointId: string, users: number): Promise<void> {
  const content = contentOf(users);
  const { upload: form } = await api.post<Announced>('/v1/files', {
    ...{ name: 'users.csv', size: Buffer.byteLength(content), endpointId },
    ...{ message: 'Your invoice is ready, {{first_name}}', allowRepeat: true },
  });
  const body = new FormData();
  for (const [name, value] of Object.entries(form.fields)) body.append(name, value);
  body.append('file', new Blob([content]), 'users.csv');
  const answer = await fetch(form.url, { method: 'POST', body });
  if (!answer.ok) throw new Error(`no upload: ${answer.status} ${await answer.text()}`);
}

async function sendFile(
  bench: BenchCloud,
  receiver: BenchReceiver,
  order: { readonly endpointId: string; readonly users: number; readonly delayMs: number },
): Promise<Run> {
  const { endpointId, users, delayMs } = order;
  receiver.begin(delayMs);
  await upload(bench, endpointId, users);
  const startMs = Date.now();
  const { arrivals, openMax } = await receiver.reach(users);
  const timesMs = arrivals.map(({ atMs }) => atMs);
  const firstMs = timesMs.reduce((a, b) => Math.min(a, b));
  const lastMs = timesMs.reduce((a, b) => Math.max(a, b));
  return {
    ...{ users, openMax, doubles: arrivals.length - users },
    ...{ firstAfterMs: firstMs - startMs, lastAfterMs: lastMs - startMs },
    perSecond: Math.round((1_000 * users) / (lastMs - firstMs)),
  };
}

await withBenchCloud(async (bench) => {
  const receiver = await startBenchReceiver();
  const { id: endpointId } = await bench.api.post<{ id: string }>('/v1/endpoints', {
    ...{ url: receiver.url, eventTypes: ['bench.nothing'] },
  });
  await sendFile(bench, receiver, { endpointId, users: WARMUP_USERS, delayMs: 0 });
  const runs: Record<string, Run> = {};
  const ratios: string[] = [];
  for (const delayMs of DELAYS_MS) {
    const run = await sendFile(bench, receiver, { endpointId, users: USERS, delayMs });
    runs[`answered after ${delayMs} ms`] = run;
    receiver.begin(delayMs);
    const load = { clients: run.openMax, warmupMs: 500, measureMs: 3_000 };
    const content = { type: 'alert', data: { userId: 'user-1', text: 'x'.repeat(250) } };
    const bare = await runLoad(load, barePost(receiver.url, content));
    const title = `alerts / bare signed POST, answered after ${delayMs} ms, ${run.openMax} open`;
    ratios.push(formatRatio(title, run.perSecond, bare.perSecond));
  }
  console.table(runs);
  for (const ratio of ratios) console.log(ratio);
  await receiver.close();
});

/**
 * A receiver of webhooks in a thread of its own, so that it does not wait for the local cloud,
 * which shares the thread of the measurement.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

/** A webhook that came, and how long that was after its event was committed. */
export interface Arrival {
  readonly id: string;
  readonly atMs: number;
  readonly latencyMs: number;
}

type Order = { readonly delayMs: number } | 'count' | 'report' | 'forget';

interface Report {
  readonly arrivals: readonly Arrival[];
  /** The most requests that were open at once. */
  readonly openMax: number;
}

export interface BenchReceiver {
  readonly url: string;
  /** Answers after so long from now on, and forgets what came before. */
  begin(delayMs?: number): void;
  /** Waits until so many different webhooks have come. */
  reach(count: number): Promise<Report>;
  close(): Promise<unknown>;
}

const LOOK_MS = 20;

/** Starts it on a free port of this machine. */
export async function startBenchReceiver(): Promise<BenchReceiver> {
  const thread = new Worker(new URL(import.meta.url));
  const [port] = await once(thread, 'message');
  const send = (order: Order) => thread.postMessage(order);
  return {
    url: `http://127.0.0.1:${port}/`,
    begin(delayMs = 0) {
      send('forget');
      send({ delayMs });
    },
    async reach(count) {
      for (;;) {
        send('count');
        const [ids] = (await once(thread, 'message')) as [number];
        if (ids >= count) {
          send('report');
          const [report] = (await once(thread, 'message')) as [Report];
          return report;
        }
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
    },
    close: () => thread.terminate(),
  };
}

async function receive(): Promise<void> {
  const arrivals: Arrival[] = [];
  const ids = new Set<string>();
  let [delayMs, open, openMax] = [0, 0, 0];
  const server = createServer(async (request, response) => {
    open += 1;
    openMax = Math.max(openMax, open);
    const atMs = Date.now();
    const { timestamp } = JSON.parse((await buffer(request)).toString()) as { timestamp: string };
    const id = String(request.headers['webhook-id']);
    ids.add(id);
    arrivals.push({ id, atMs, latencyMs: atMs - Date.parse(timestamp) });
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    open -= 1;
    response.end();
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  parentPort?.on('message', (order: Order) => {
    if (order === 'count') parentPort?.postMessage(ids.size);
    else if (order === 'report') parentPort?.postMessage({ arrivals, openMax });
    else if (order === 'forget') {
      arrivals.length = 0;
      ids.clear();
      openMax = 0;
    } else delayMs = order.delayMs;
  });
  parentPort?.postMessage((server.address() as AddressInfo).port);
}

if (!isMainThread) await receive();

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { BLOCK_USERS_MAX } from '../../functions/files/segments.ts';
import { MINUTE_MS } from '../../functions/shared/units.ts';
import { verifyWebhook } from '../../functions/webhooks/signature.ts';

const TOLERANCE_SECONDS = 300;
/** A worker that lives sends sooner; the lease of one that is dead is longer. */
const SILENCE_MS = 45_000;

/** What came of one file, a byte for each of its users. */
export class AlertLog {
  /** Copies of each user. */
  readonly copies: Uint8Array;
  repeats = 0;
  firstMs: number | undefined;
  /** When the last copy of each block came, and when the first one after a long silence. */
  readonly blockMs: Float64Array;
  readonly resumedMs: Float64Array;
  readonly violations: string[] = [];

  constructor(users: number) {
    this.copies = new Uint8Array(users);
    this.blockMs = new Float64Array(Math.ceil(users / BLOCK_USERS_MAX));
    this.resumedMs = new Float64Array(this.blockMs.length);
  }

  take(user: number, isMarked: boolean): void {
    const before = this.copies[user];
    if (before === undefined) {
      this.violations.push(`the user ${user} is not in the file`);
      return;
    }
    this.firstMs ??= Date.now();
    this.#note(Math.floor(user / BLOCK_USERS_MAX), Date.now());
    if (before > 0) {
      this.repeats += 1;
      if (!isMarked) this.violations.push(`the user ${user} came again, unmarked`);
    }
    this.copies[user] = before + 1;
  }

  #note(block: number, nowMs: number): void {
    const lastMs = this.blockMs[block] || nowMs;
    if (nowMs - lastMs > SILENCE_MS) this.resumedMs[block] ||= nowMs;
    this.blockMs[block] = nowMs;
  }

  /** How many users came at least once. */
  get users(): number {
    return this.copies.reduce((sum, it) => (it > 0 ? sum + 1 : sum), 0);
  }
}

interface Alert {
  readonly fileId: string;
  readonly fileName: string;
  readonly userId: string;
}

export interface AlertReceiver {
  readonly url: string;
  trust(secret: string): void;
  /** What came of each file. */
  readonly logs: ReadonlyMap<string, AlertLog>;
  readonly violations: string[];
  close(): Promise<void>;
}

/**
 * Answers every alert by 200 and keeps a byte of it. A file is called by the number of its users,
 * and they are `u0`, `u1` … in this order.
 */
export async function startAlertReceiver(): Promise<AlertReceiver> {
  const secrets: string[] = [];
  const logs = new Map<string, AlertLog>();
  const violations: string[] = [];
  const server = createServer(async (request, response) => {
    const body = await buffer(request).catch(() => undefined);
    if (!body) return void response.destroy();
    const { headers } = request;
    const window = {
      nowSeconds: Math.floor(Date.now() / 1_000),
      toleranceSeconds: TOLERANCE_SECONDS,
    };
    const verdict = verifyWebhook(secrets, { headers, body }, window);
    if (verdict !== 'valid') violations.push(`a signature is ${verdict}`);
    const { data } = JSON.parse(body.toString()) as { data: Alert };
    const log = logs.get(data.fileId) ?? new AlertLog(Number(data.fileName));
    logs.set(data.fileId, log);
    log.take(Number(data.userId.slice(1)), headers['webhook-possible-duplicate'] === '1');
    response.writeHead(200).end();
  });
  // Longer than anybody leaves a connection idle: one that closes is an outcome nobody knows.
  server.keepAliveTimeout = 10 * MINUTE_MS;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    trust: (secret) => void secrets.push(secret),
    logs,
    violations,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { verifyWebhook } from '../../functions/webhooks/signature.ts';
import { type Dice, diceOf } from '../support/fuzz/dice.ts';
import { type CopyEnd, WireLog } from './wire-log.ts';

/** What a receiver does with a copy; `cut` says 200 and breaks off in the body. */
type Answer =
  | { readonly status: number; readonly delayMs?: number; readonly retryAfter?: string }
  | 'hang'
  | 'reset'
  | 'cut';

/** A receiver of a kind, and what its deliveries may come to in the end. */
export interface Kind {
  /** Of a hundred events. */
  readonly share: number;
  /** Of a long soak about so many: it would wait for these alone, and test nothing more. */
  readonly most?: number;
  /** `healed` once the load is over. */
  readonly answer: (dice: Dice, healed: boolean) => Answer;
  readonly endpoint?: object;
  /** Its breaker opens, so that what comes later waits until the load is over. */
  readonly isHeld?: true;
  /** It belongs to a tenant of its own, so that the lanes of the others do not depend on it. */
  readonly isApart?: true;
  readonly ends: readonly string[];
}

/** What is held comes out slowly once the load is over. */
const HELD_MAX = 1_200;
const OK = { status: 200 };
const DELIVERED = ['delivered'];
const sometimes =
  (share: number, answer: Answer) =>
  (dice: Dice): Answer =>
    dice.chance(share) ? answer : OK;

/** Each has an endpoint of its own, and events of the type `soak.<kind>`. */
export const KINDS: Readonly<Record<string, Kind>> = {
  ok: { share: 42, answer: () => OK, ends: DELIVERED },
  slow: {
    share: 12,
    answer: (dice) => ({ status: 200, delayMs: 50 + dice.below(400) }),
    ends: DELIVERED,
  },
  failing: { share: 10, answer: sometimes(0.2, { status: 500 }), ends: DELIVERED },
  asking: {
    share: 5,
    // After some refusals six a second are left, and 25,000 would take longer than all others.
    most: 10_000,
    answer: sometimes(0.02, { status: 429, retryAfter: '1' }),
    ends: DELIVERED,
  },
  // Each refusal in a row doubles the time for which all of its deliveries wait, up to a minute.
  throttling: {
    ...{ share: 5, most: 4_000 },
    answer: sometimes(0.01, { status: 429 }),
    ends: DELIVERED,
  },
  resetting: { share: 8, answer: sometimes(0.15, 'reset'), ends: DELIVERED },
  cutting: { share: 6, answer: sometimes(0.3, 'cut'), ends: DELIVERED },
  hanging: {
    share: 4,
    answer: sometimes(0.05, 'hang'),
    // Longer than a busy process may stand still: else it reads a copy after the next one.
    endpoint: { timeoutSeconds: 5 },
    isApart: true,
    ends: DELIVERED,
  },
  stopping: {
    share: 4,
    answer: sometimes(0.15, 'reset'),
    endpoint: { onUnknown: 'stop' },
    ends: ['delivered', 'uncertain'],
  },
  dead: {
    ...{ share: 2, most: HELD_MAX },
    answer: (_, healed) => (healed ? OK : { status: 500 }),
    endpoint: { retry: { maxAttempts: 30, schedule: [5] } },
    isHeld: true,
    ends: ['delivered', 'exhausted'],
  },
  refusing: {
    ...{ share: 2, most: HELD_MAX },
    answer: () => ({ status: 500 }),
    endpoint: { retry: { maxAttempts: 2, schedule: [1] } },
    isHeld: true,
    ends: ['exhausted'],
  },
};

/** Says of one event after the other what kind it is. What there is too much of is `ok` instead. */
export function pickerOf(dice: Dice, events: number): () => string {
  const wheel = Object.entries(KINDS).flatMap(([kind, { share }]) =>
    Array.from({ length: share }, () => kind),
  );
  return () => {
    const kind = dice.pick(wheel);
    const { share = 0, most } = KINDS[kind] ?? {};
    const expected = (events * share) / 100;
    return most !== undefined && !dice.chance(most / expected) ? 'ok' : kind;
  };
}

/** A second endpoint for two kinds of events: one event, two deliveries. */
export const TWICE: readonly string[] = ['slow', 'resetting'];
export const COPY = 'copy';

/** All receivers behind one port, each under the path of its kind. */
export interface Receivers {
  urlOf(kind: string): string;
  /** Verifies what comes to this kind by this secret. */
  trust(kind: string, secret: string): void;
  readonly logs: ReadonlyMap<string, WireLog>;
  /** Those that were dead are well from now on. */
  heal(): void;
  close(): Promise<void>;
}

const TOLERANCE_SECONDS = 300;

/** Starts them. `seed` decides who is unlucky. */
export async function startReceivers(seed: number): Promise<Receivers> {
  const dice = diceOf(seed);
  const names = [...Object.keys(KINDS), COPY];
  const logs = new Map(names.map((it) => [it, new WireLog(it)]));
  const secrets = new Map<string, string>();
  let healed = false;
  const server = createServer(async (request, response) => {
    const kind = request.url?.slice(1) ?? '';
    const body = await buffer(request).catch(() => undefined);
    const log = logs.get(kind);
    if (!body || !log) return void response.destroy();
    const nowSeconds = Math.floor(Date.now() / 1_000);
    const window = { nowSeconds, toleranceSeconds: TOLERANCE_SECONDS };
    const { headers } = request;
    const verdict = verifyWebhook([secrets.get(kind) ?? ''], { headers, body }, window);
    if (verdict !== 'valid') log.violations.push(`wire ${kind}: a signature is ${verdict}`);
    const end = log.arrive(copyOf(request, body));
    give(KINDS[kind]?.answer(dice, healed) ?? OK, response, end);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    urlOf: (kind) => `http://127.0.0.1:${port}/${kind}`,
    trust: (kind, secret) => void secrets.set(kind, secret),
    logs,
    heal: () => {
      healed = true;
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function copyOf({ headers }: IncomingMessage, body: Buffer) {
  const { id: bodyId, data } = JSON.parse(body.toString()) as { id: string; data: { n: number } };
  const marked = headers['webhook-possible-duplicate'] === '1';
  return { n: data.n, id: String(headers['webhook-id']), bodyId, body, marked };
}

/** Every copy ends once: with its answer, or with its connection. */
function give(answer: Answer, response: ServerResponse, end: (how: CopyEnd) => void): void {
  const { socket } = response;
  let isOver = false;
  const over = (how: CopyEnd) => {
    if (!isOver) end(how);
    isOver = true;
  };
  // Nobody waits for the answer any more: a worker gave up, or was killed.
  response.on('close', () => over('unknown'));
  if (answer === 'hang') return;
  if (answer === 'reset') {
    over('unknown');
    socket?.resetAndDestroy();
    return;
  }
  if (answer === 'cut') {
    over('accepted');
    response.writeHead(200, { 'content-length': '100' }).write('begun');
    setImmediate(() => socket?.destroy());
    return;
  }
  const { status, delayMs = 0, retryAfter } = answer;
  const reply = () => {
    if (isOver) return;
    over(status < 300 ? 'accepted' : 'refused');
    response.writeHead(status, retryAfter ? { 'retry-after': retryAfter } : {}).end();
  };
  if (delayMs > 0) setTimeout(reply, delayMs);
  else reply();
}

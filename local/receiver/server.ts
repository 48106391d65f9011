import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { type Verdict, verifyWebhook } from '../../functions/webhooks/signature.ts';
import { openRateGate, type RateGate } from './rate-gate.ts';

/** What the receiver does with a webhook: a status, silence, or a cut connection. */
export type Answer =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | 'hang'
  | 'reset';

/** How it behaves from now on. A webhook that is refused by the rate meets none of the rest. */
export interface Behaviour {
  /** 429 with Retry-After above this rate; 0 is no limit. */
  readonly perSecond: number;
  /** 500 for so many from now on, then silence for so many, then cut connections. */
  readonly failNext: number;
  readonly hangNext: number;
  readonly resetNext: number;
  /** 500 for this share of the rest, 0 to 1. */
  readonly failShare: number;
  /** Decides before all others but the signature; undefined leaves it to them. */
  readonly decide: ((webhook: Webhook) => Answer | undefined) | undefined;
}

/** One request as it arrived. */
export interface Webhook {
  /** 1 for the first one since the start. */
  readonly nth: number;
  readonly atMs: number;
  readonly id: string;
  readonly attempt: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  /** Undefined when there is no secret to verify by. */
  readonly verdict: Verdict | undefined;
  /** Set when a webhook of this id was already answered with 2xx. */
  readonly duplicate: boolean;
}

export interface Handled extends Webhook {
  readonly answer: Answer;
}

export interface ReceiverOptions extends Partial<Behaviour> {
  /** 0, the default, takes any free port. */
  readonly port?: number;
  /** `whsec_…`; with at least one, webhooks that it does not fit get a 401. */
  readonly secrets?: readonly string[];
  /** Keep every webhook in `received`; true unless told otherwise. */
  readonly keep?: boolean;
  /** Called once per webhook, before it is answered. */
  readonly onWebhook?: (webhook: Handled) => void;
}

export interface Receiver {
  readonly port: number;
  readonly url: string;
  /** Every webhook in the order of arrival, with what it was answered. */
  readonly received: readonly Handled[];
  /** How many ids have been answered with 2xx. */
  accepted(): number;
  /** Verifies by these secrets from now on. */
  trust(...secrets: string[]): void;
  /** Changes what is named, from the next webhook on. */
  behave(change: Partial<Behaviour>): void;
  /** Cuts what is open. Repeating it changes nothing. */
  close(): Promise<void>;
}

const PLAIN: Behaviour = {
  perSecond: 0,
  failNext: 0,
  hangNext: 0,
  resetNext: 0,
  failShare: 0,
  decide: undefined,
};
/** What Standard Webhooks recommends. */
const TOLERANCE_SECONDS = 300;

/** Starts a receiver of webhooks on this machine. Rejects when the port is taken. */
export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const { port = 0, secrets = [], keep = true, onWebhook, ...behaviour } = options;
  const state = openState(secrets);
  const conduct = openConduct({ ...PLAIN, ...behaviour });
  const received: Handled[] = [];

  const server = http.createServer(async (req, res) => {
    if (req.method !== 'POST') return void res.writeHead(405, { allow: 'POST' }).end();
    const body = await buffer(req).catch(() => undefined);
    if (!body) return;
    const webhook = state.read(req, body);
    const answer = isRefused(webhook) ? { status: 401 } : conduct.answer(webhook);
    const handled = { ...webhook, answer };
    if (keep) received.push(handled);
    onWebhook?.(handled);
    state.settle(handled);
    give(answer, res);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as AddressInfo;

  return {
    port: address.port,
    url: `http://127.0.0.1:${address.port}/`,
    received,
    accepted: state.accepted,
    trust: state.trust,
    behave: conduct.change,
    async close() {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** What it knows of the webhooks: which secrets sign them, and which ids it has accepted. */
function openState(initialSecrets: readonly string[]) {
  const accepted = new Set<string>();
  let secrets = initialSecrets;
  let count = 0;

  function judge(webhook: { headers: http.IncomingHttpHeaders; body: Buffer }) {
    if (secrets.length === 0) return undefined;
    const nowSeconds = Math.floor(Date.now() / 1_000);
    return verifyWebhook(secrets, webhook, { nowSeconds, toleranceSeconds: TOLERANCE_SECONDS });
  }

  return {
    accepted: () => accepted.size,
    trust(...more: string[]) {
      secrets = more;
    },
    read({ headers }: http.IncomingMessage, body: Buffer): Webhook {
      count += 1;
      const id = String(headers['webhook-id'] ?? '');
      const attempt = Number(headers['webhook-attempt'] ?? 1);
      const duplicate = accepted.has(id);
      const verdict = judge({ headers, body });
      return { nth: count, atMs: Date.now(), id, attempt, headers, body, verdict, duplicate };
    },
    settle({ id, answer }: Handled) {
      if (typeof answer === 'object' && answer.status >= 200 && answer.status < 300) {
        accepted.add(id);
      }
    },
  };
}

function isRefused({ verdict }: Webhook): boolean {
  return verdict !== undefined && verdict !== 'valid';
}

/** Answers one webhook after the other by a behaviour that may change in between. */
function openConduct(initial: Behaviour) {
  let now = initial;
  let gate: RateGate = openRateGate(now.perSecond);

  /** Whether the next of this kind is due, which uses it up. */
  function takes(kind: 'failNext' | 'hangNext' | 'resetNext'): boolean {
    if (now[kind] === 0) return false;
    now = { ...now, [kind]: now[kind] - 1 };
    return true;
  }

  return {
    change(change: Partial<Behaviour>): void {
      now = { ...now, ...change };
      if (change.perSecond !== undefined) gate = openRateGate(change.perSecond);
    },
    answer(webhook: Webhook): Answer {
      const decided = now.decide?.(webhook);
      if (decided) return decided;
      const waitMs = gate.waitMs(webhook.atMs);
      if (waitMs > 0) return tooMany(waitMs);
      if (takes('failNext')) return { status: 500 };
      if (takes('hangNext')) return 'hang';
      if (takes('resetNext')) return 'reset';
      return { status: Math.random() < now.failShare ? 500 : 200 };
    },
  };
}

function tooMany(waitMs: number): Answer {
  return { status: 429, headers: { 'retry-after': String(Math.ceil(waitMs / 1_000)) } };
}

function give(answer: Answer, res: http.ServerResponse): void {
  if (answer === 'hang') return;
  if (answer === 'reset') res.socket?.resetAndDestroy();
  else res.writeHead(answer.status, answer.headers).end();
}

import { setTimeout as wait } from 'node:timers/promises';
import type { Dice } from '../support/fuzz/dice.ts';
import type { BankBody, Teller } from './bank.ts';

export interface TellerOptions {
  readonly apiUrl: string;
  readonly key: string;
  readonly dice: Dice;
  /** The share of requests whose client hangs up before the answer. */
  readonly hangUpShare: number;
}

const HANG_UP_MS_MAX = 40;
const PAUSE_MS = 50;

/** Takes requests over HTTP. Its clients sometimes hang up, and wait a moment before they retry. */
export function httpTeller({ apiUrl, key, dice, hangUpShare }: TellerOptions): Teller {
  return {
    nowMs: () => Date.now(),
    pause: async () => {
      await wait(PAUSE_MS);
    },
    async post(path, body, idempotencyKey) {
      const hangsUp = dice.chance(hangUpShare);
      const signal = hangsUp ? AbortSignal.timeout(dice.below(HANG_UP_MS_MAX)) : null;
      try {
        const answer = await fetch(apiUrl + path, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${key}`,
            ...(body !== undefined && { 'content-type': 'application/json' }),
            ...(idempotencyKey !== null && { 'idempotency-key': idempotencyKey }),
          },
          signal,
          ...(body !== undefined && { body: JSON.stringify(body) }),
        });
        const replayed = answer.headers.get('idempotent-replayed') === 'true';
        return { status: answer.status, body: (await answer.json()) as BankBody, replayed };
      } catch {
        // Hung up, or its server was killed.
        return undefined;
      }
    },
  };
}

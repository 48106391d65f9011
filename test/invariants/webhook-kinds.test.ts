import { expect, it } from 'vitest';
import { KINDS, pickerOf } from '../soak/webhook-receivers.ts';
import { diceOf } from '../support/fuzz/dice.ts';

const SCARCE = { asking: 10_000, throttling: 4_000, dead: 1_200, refusing: 1_200 };

function pickAll(events: number): string[] {
  const pick = pickerOf(diceOf(1), events);
  return Array.from({ length: events }, () => pick());
}

const countOf = (kinds: readonly string[], kind: string) =>
  kinds.filter((it) => it === kind).length;

it('sends a receiver its share of a short soak', () => {
  const kinds = pickAll(20_000);
  for (const [kind, { share }] of Object.entries(KINDS)) {
    const expected = 200 * share;
    expect(Math.abs(countOf(kinds, kind) - expected), kind).toBeLessThan(0.2 * expected);
  }
});

it('has of what takes its time no more than fits into a long soak, from begin to end', () => {
  const kinds = pickAll(500_000);
  for (const [kind, most] of Object.entries(SCARCE)) {
    for (const half of [kinds.slice(0, 250_000), kinds.slice(250_000)]) {
      expect(Math.abs(countOf(half, kind) - most / 2), kind).toBeLessThan(0.1 * most);
    }
  }
  const others = Object.entries(KINDS).filter(([kind]) => kind !== 'ok' && !(kind in SCARCE));
  for (const [kind, { share }] of others) {
    const expected = 5_000 * share;
    expect(Math.abs(countOf(kinds, kind) - expected), kind).toBeLessThan(0.05 * expected);
  }
});

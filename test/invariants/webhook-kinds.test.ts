import { expect, it } from 'vitest';
import { KINDS, pickerOf } from '../soak/webhook-receivers.ts';
import { diceOf } from '../support/fuzz/dice.ts';

const HELD = Object.keys(KINDS).filter((it) => KINDS[it]?.isHeld);

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

it('holds as much of a long soak as of one with 60,000 events, from its begin to its end', () => {
  const kinds = pickAll(500_000);
  expect(HELD).toEqual(['dead', 'refusing']);
  for (const kind of HELD) {
    for (const half of [kinds.slice(0, 250_000), kinds.slice(250_000)]) {
      expect(Math.abs(countOf(half, kind) - 600), kind).toBeLessThan(120);
    }
  }
  const others = Object.entries(KINDS).filter(([kind]) => kind !== 'ok' && !HELD.includes(kind));
  for (const [kind, { share }] of others) {
    const expected = 5_000 * share;
    expect(Math.abs(countOf(kinds, kind) - expected), kind).toBeLessThan(0.05 * expected);
  }
});

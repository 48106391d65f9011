import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { allRoutes } from '../../functions/operations/all-routes.ts';
import { parseJson } from '../../functions/shared/http/strict-json.ts';
import { Amount } from '../../functions/shared/money-wire.ts';
import { Instant, id, Metadata, text } from '../../functions/shared/wire.ts';
import { routeKey } from '../support/fuzz/call.ts';
import { publishedSchema, validParts } from '../support/fuzz/compose.ts';
import { diceOf } from '../support/fuzz/dice.ts';
import { fits, schemaOf } from '../support/fuzz/json-schema.ts';
import { mutate, replaced } from '../support/fuzz/mutation.ts';
import { breakJson } from '../support/fuzz/noise.ts';
import { Pool } from '../support/fuzz/pool.ts';
import { sensibleValues } from '../support/fuzz/sensible-values.ts';
import { validValue } from '../support/fuzz/valid-value.ts';

const Sample = z.strictObject({
  type: z.enum(['a', 'b']),
  accountId: id('acc'),
  amount: Amount,
  at: Instant.optional(),
  note: text(1, 10).nullable().optional(),
  list: z.array(z.int().min(1).max(9)).min(1).max(3),
  metadata: Metadata.optional(),
  data: z.json().optional(),
  kind: z.discriminatedUnion('of', [
    z.strictObject({ of: z.literal('x'), x: z.number().min(0.5) }),
    z.strictObject({ of: z.literal('y'), y: z.boolean() }),
  ]),
});

const ACCOUNT = `acc_${'0'.repeat(26)}`;
const good = { type: 'a', accountId: ACCOUNT, amount: '5', list: [1], kind: { of: 'x', x: 1 } };
const pool = new Pool(sensibleValues('http://127.0.0.1:9/'));

describe('dice', () => {
  it('throw the same for the same seed, and something else for another', () => {
    const throws = (seed: number) => {
      const dice = diceOf(seed);
      return Array.from({ length: 20 }, () => dice.below(1_000));
    };

    expect(throws(7)).toEqual(throws(7));
    expect(throws(7)).not.toEqual(throws(8));
    expect(throws(7).every((it) => it >= 0 && it < 1_000)).toBe(true);
  });
});

describe('fits', () => {
  const schema = schemaOf(Sample);

  it('takes what fits', () => {
    expect(fits(schema, good)).toBe(true);
    expect(fits(schema, { ...good, note: null, data: [{ a: [1] }], metadata: { a: 'b' } })).toBe(
      true,
    );
  });

  it.each([
    [['type'], 'c'],
    [['type'], 1],
    [['accountId'], 'acc_1'],
    [['amount'], true],
    [['at'], 'yesterday'],
    [['note'], ''],
    [['note'], 'x'.repeat(11)],
    [['list'], []],
    [['list'], [1, 2, 3, 4]],
    [['list', 0], 10],
    [['list', 0], 1.5],
    [['metadata'], { a: 1 }],
    [['metadata'], { ['x'.repeat(41)]: 'a' }],
    [['kind', 'x'], 0.4],
    [['kind', 'of'], 'y'],
    [['kind', 'y'], true],
    [['surprise'], 1],
    [[], null],
    [[], [good]],
  ])('refuses %j with the value %j', (path, value) => {
    expect(fits(schema, replaced(good, path, value))).toBe(false);
  });
});

describe('valid values', () => {
  it('fit the schema, and use real ids', () => {
    pool.learn({ anything: [{ id: ACCOUNT }] });
    const dice = diceOf(1);
    const values = Array.from({ length: 200 }, () =>
      dice.draw(validValue(schemaOf(Sample), pool)),
    ) as { accountId: string }[];

    expect(values.filter((it) => !fits(schemaOf(Sample), it))).toEqual([]);
    expect(values.filter((it) => it.accountId === ACCOUNT).length).toBeGreaterThan(100);
  });
});

describe('a mutated value', () => {
  it('has one fault that the schema itself refuses', () => {
    const dice = diceOf(2);
    const accepted = Array.from({ length: 1_000 }, () => mutate(schemaOf(Sample), good, dice))
      .filter((it) => it !== undefined)
      .filter((it) => Sample.safeParse(it.value).success);

    expect(accepted).toEqual([]);
  });

  it('is not found where everything is allowed', () => {
    expect(mutate(schemaOf(z.json()), { a: 1 }, diceOf(3))).toBeUndefined();
  });
});

describe('a damaged text', () => {
  it('is refused whatever the damage', () => {
    const dice = diceOf(4);
    for (let n = 0; n < 100; n += 1) {
      const { what, body } = breakJson('{"type":"a"}', dice);
      const read = () => parseJson(Buffer.from(body as string));
      expect(read, what).toThrow(expect.objectContaining({ code: 'malformed_json' }));
    }
  });
});

describe('the pool', () => {
  it('learns ids and cursors from answers, and hides its own key', () => {
    const own = `key_${'1'.repeat(26)}`;
    const delivery = `dlv_${'2'.repeat(52)}`;
    const learning = new Pool(() => [], [own]);
    learning.learn({ data: [{ id: delivery, keyId: own }], nextCursor: 'c' });

    expect(learning.ids('dlv')).toEqual([delivery]);
    expect(learning.ids('key')).toEqual([]);
    expect(learning.named('cursor')).toEqual(['c']);
  });
});

const bodies = allRoutes.flatMap((it) => (it.body ? [{ ...it, body: it.body }] : []));

describe.each(bodies.map((it) => [routeKey(it), it] as const))(
  'the body of %s',
  (_key, contract) => {
    it('accepts no value with a fault', () => {
      const dice = diceOf(5);
      const accepted = Array.from({ length: 60 }, () => {
        const { body } = validParts(contract, pool, dice);
        return mutate(publishedSchema(contract.body), body, dice);
      }).filter((it) => it && contract.body.safeParse(it.value).success);

      // Amounts are judged by the exact text of the number, before the schema sees it.
      expect(accepted.filter((it) => !/amount/.test(it?.what ?? ''))).toEqual([]);
    });
  },
);

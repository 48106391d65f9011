import { expect, it } from 'vitest';
import * as z from 'zod';
import { reasonOf } from '../../bin/ops/reason-of.ts';

it('says in one line which field of what is stored has not its form', () => {
  const form = z.object({ amount: z.int(), legs: z.array(z.object({ seq: z.int() })) });
  const { error } = form.safeParse({ amount: 'x', legs: [{ seq: 'y' }] });

  const reason = reasonOf(error);

  expect(reason).toMatch(/^something stored has not its form: amount: .+; legs\.0\.seq: /);
  expect(reason).not.toContain('\n');
});

it('says the first line of any other error, and that nothing answers', () => {
  expect(reasonOf(new Error('one\ntwo'))).toBe('one');
  expect(reasonOf('odd')).toBe('odd');
  const refused = Object.assign(new Error('?'), { code: 'ECONNREFUSED', address: 'x', port: 1 });
  expect(reasonOf(refused)).toContain('nothing answers at x:1');
});

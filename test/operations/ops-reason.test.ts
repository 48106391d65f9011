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

it('says that a name is not found, and of several addresses the first that does not answer', () => {
  const unfound = Object.assign(new Error('?'), { code: 'EAI_AGAIN', hostname: 'x.y' });
  expect(reasonOf(unfound)).toBe('the name x.y is not found (EAI_AGAIN): is the address right?');
  const one = Object.assign(new Error('?'), { code: 'ECONNREFUSED', address: '::1', port: 9 });
  const both = Object.assign(new AggregateError([one, new Error('other')]), { code: one.code });
  expect(reasonOf(both)).toContain('nothing answers at ::1:9');
  expect(reasonOf(new TypeError(''))).toBe('TypeError');
});

it('says of a table that is not there which flags name it', () => {
  const name = 'ResourceNotFoundException';
  const gone = Object.assign(new Error('Requested resource not found'), { name });
  expect(reasonOf(gone)).toBe(
    'Requested resource not found: is it another stack (--stack), or are restored tables meant ' +
      '(--restored, TALLYHOOK_RESTORED)?',
  );
});

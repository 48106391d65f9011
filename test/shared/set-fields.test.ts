import { expect, it } from 'vitest';
import { setFields } from '../../functions/shared/set-fields.ts';

it.each([
  [{ name: 'x', size: 0 }, 'SET #name = :name, #size = :size', { ':name': 'x', ':size': 0 }],
  [{ name: 'x', end: undefined }, 'SET #name = :name REMOVE #end', { ':name': 'x' }],
  [{ status: undefined, end: undefined }, 'REMOVE #status, #end', undefined],
])('%j: %s', (fields, update, values) => {
  const names = Object.fromEntries(Object.keys(fields).map((it) => [`#${it}`, it]));

  expect(setFields(fields)).toEqual({ update, names, ...(values && { values }) });
});

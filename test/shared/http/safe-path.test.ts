import { expect, it } from 'vitest';
import { safePath } from '../../../functions/shared/http/safe-path.ts';

const ULID = '01ARZ3NDEKTSV4RRFFQ69G5FAV';

it.each([
  '/health',
  '/v1/accounts/@world',
  `/v1/accounts/acc_${ULID}/entries`,
  `/v1/deliveries/dlv_${ULID}${ULID}/retry`,
  '/v1/admin/dead-letters/redrive',
  '/v1//x/',
])('leaves %s as it is', (path) => {
  expect(safePath(path)).toBe(path);
});

it.each([
  ['an API key', `th_live_${ULID}_${'aB3-_'.repeat(8)}xyz`],
  ['an admin key', 'Wjl7APgwqAmtA48xrf69QeoqJHrbh3I4'],
  ['a signing secret', `whsec_${'A'.repeat(43)}%3D`],
  ['what is escaped', '%74%68%5F%6C%69%76%65'],
  ['what is no id', `acc_${ULID}${ULID}${ULID}`],
])('hides %s', (_what, segment) => {
  expect(safePath(`/v1/accounts/${segment}/entries`)).toBe('/v1/accounts/*/entries');
});

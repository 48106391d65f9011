import { expect, it } from 'vitest';
import { methodsOf, refuseUnmatched } from '../../functions/operations/refuse-unmatched.ts';
import { defineRoute } from '../../functions/shared/http/route.ts';

const row = (method: 'GET' | 'POST' | 'DELETE', path: string) =>
  defineRoute({
    method,
    path,
    summary: '',
    access: 'public',
    reply: { status: 200, schema: undefined as never },
  });

const contracts = [
  row('POST', '/v1/things'),
  row('GET', '/v1/things'),
  row('GET', '/v1/things/{id}'),
  row('DELETE', '/v1/things/{id}'),
  row('POST', '/v1/things/{id}/retry'),
];

it.each([
  ['/v1/things', ['GET', 'POST']],
  ['/v1/things/7', ['DELETE', 'GET']],
  ['/v1/things/7/retry', ['POST']],
  ['/v1/things/', []],
  ['/v1/things/7/', []],
  ['/v1/thing', []],
  ['/', []],
])('%s is mounted for %j', (path, methods) => {
  expect(methodsOf(contracts, path)).toEqual(methods);
});

it('repeats no key that got into the path', async () => {
  const path = `/v1/th_live_${'0'.repeat(26)}_${'k'.repeat(43)}`;
  const { answer } = refuseUnmatched(contracts);

  const refusal = answer({ method: 'GET', path } as never, {} as never);
  await expect(refusal).rejects.toMatchObject({ message: 'There is no route /v1/*.' });
});

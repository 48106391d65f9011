import { beforeAll, describe, expect, it } from 'vitest';
import { allRoutes } from '../../functions/operations/all-routes.ts';
import { type Contract, type Route, SCOPES } from '../../functions/shared/http/route.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { instanceOf, newTenantAt, tenantsInstance } from './tenants-api.ts';

/** What the operator, and what anybody may call. All other routes need a scope of a tenant. */
const ADMIN = /^\/(v1\/(tenants|admin)(\/|$)|metrics$)/;
const PUBLIC = /^\/(health|ready|openapi\.json|docs|v1\/in\/\{\w+\})(\/.*)?$/;

const guarded = allRoutes.filter(({ access }) => access !== 'public');
const nameOf = ({ method, path }: Contract) => `${method} ${path}`;
const table = guarded.map((it) => [nameOf(it), it] as const);

let world: TestWorld;
let everything: string;
let adminKey: string;
const keyWithout = new Map<string, string>();
beforeAll(async () => {
  world = await testWorld();
  const ask = tenantsInstance(world);
  const limits = { requestsPerSecond: 5_000 };
  ({ key: everything, adminKey } = await newTenantAt(ask, world, limits));
  for (const scope of SCOPES) {
    const body = { name: scope, scopes: SCOPES.filter((it) => it !== scope) };
    const { body: made } = await ask('POST /v1/keys', { key: everything, body });
    keyWithout.set(scope, String(made.key));
  }
});

/** The status and code with which the shell answers, where the route itself would say yes. */
async function outcome(contract: Contract, key?: string) {
  const open: Route<TestWorld> = {
    contract: { method: contract.method, path: contract.path } as Contract,
    answer: async () => ({ body: {} }),
  };
  Object.assign(open.contract, { access: contract.access, reply: { schema: { parse: () => 1 } } });
  const ask = instanceOf(world, [open]);
  const path = contract.path.replaceAll(/\{\w+\}/g, 'x');
  const asked = { key, address: '127.0.0.1' };
  const { status, body } = await ask(`${contract.method} ${path}`, asked);
  return status >= 400 ? `${status} ${body.code}` : 'open';
}

it('only routes that are meant to be are public, and only operators have admin routes', () => {
  const publicOnes = allRoutes.filter(({ access }) => access === 'public').map(({ path }) => path);

  expect(publicOnes.filter((path) => !PUBLIC.test(path))).toEqual([]);
  expect(guarded.filter((it) => (it.access === 'admin') !== ADMIN.test(it.path))).toEqual([]);
});

describe('every route that is not public', () => {
  it.each(table)('%s refuses whoever has no key', async (_name, contract) => {
    expect(await outcome(contract)).toBe('401 unauthorized');
  });

  it.each(table)('%s opens to its scope alone', async (_name, contract) => {
    const { access } = contract;
    const without = access === 'admin' ? everything : (keyWithout.get(access) ?? adminKey);

    expect(await outcome(contract, without)).toBe('403 forbidden_scope');
    expect(await outcome(contract, access === 'admin' ? adminKey : everything)).toBe('open');
  });

  it.each(table)('%s is not opened by the wrong kind of key', async (_name, contract) => {
    const wrong = contract.access === 'admin' ? everything : adminKey;

    expect(await outcome(contract, wrong)).toBe('403 forbidden_scope');
  });
});

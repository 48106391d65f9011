import { globSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { at, ofType, resourcesWith } from '../support/stack.ts';

/** `GET /v1/keys` of every contract, whether or not the stack mounts it. */
async function routesInContracts(): Promise<string[]> {
  const modules = await Promise.all(
    globSync('functions/*/contract.ts').map((file) => import(resolve(file))),
  );
  const routes = modules.flatMap((it) =>
    Object.entries(it).flatMap(([name, value]) => (name.endsWith('Routes') ? value : [])),
  );
  return routes.map((it) => `${at(it, 'method')} ${at(it, 'path')}`);
}

it('deploys the routes of the contracts, the default, and nothing else', async () => {
  const deployed = ofType(resourcesWith(), 'ApiGatewayV2::Route').map(([, { Properties }]) =>
    String(Properties.RouteKey),
  );
  const contracts = await routesInContracts();

  expect(contracts, 'no contract was found').not.toEqual([]);
  expect(deployed.sort()).toEqual([...contracts, '$default'].sort());
});

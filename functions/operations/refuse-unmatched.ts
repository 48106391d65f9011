import { type Contract, route } from '../shared/http/route.ts';
import { safePath } from '../shared/http/safe-path.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { unmatchedRoute } from './contract.ts';

/**
 * `$default`: 405 with `Allow` where the path belongs to a route of another method, else 404.
 * The route tables of all rooms are the source, as they are for API Gateway.
 */
export const refuseUnmatched = (contracts: readonly Contract[]) =>
  route(unmatchedRoute, async ({ method, path }, _world: Pick<World, 'log'>) => {
    const allow = methodsOf(contracts, path);
    if (allow.length === 0) {
      throw new Problem('not_found', { detail: `There is no route ${safePath(path)}.` });
    }
    const detail = `${method} is not allowed here. Allowed: ${allow.join(', ')}.`;
    throw new Problem('method_not_allowed', { detail, allow });
  });

/** The methods under which a concrete path is mounted, sorted. */
export function methodsOf(contracts: readonly Contract[], path: string): string[] {
  const methods = contracts.filter((it) => matches(it.path, path)).map((it) => it.method);
  return [...new Set(methods)].sort();
}

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return false;
  return wanted.every((step, index) =>
    step.startsWith('{') ? given[index] !== '' : step === given[index],
  );
}

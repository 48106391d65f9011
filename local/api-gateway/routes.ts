/** What a request was matched to. Parameters are decoded, as HTTP APIs do it. */
export interface RouteMatch<Target> {
  readonly routeKey: string;
  readonly target: Target;
  readonly parameters: Readonly<Record<string, string>>;
}

interface CompiledRoute<Target> {
  readonly routeKey: string;
  readonly method: string;
  readonly segments: readonly string[];
  readonly target: Target;
}

const isParameter = (segment: string): boolean => segment.startsWith('{');

/**
 * Route keys of an HTTP API: `GET /v1/accounts/{id}` and `$default`. The most specific key wins:
 * text before a parameter, from left to right, a method before `ANY`. Undefined where there is
 * neither a match nor a `$default`. Greedy `{proxy+}` routes are refused, because the project has
 * none.
 */
export class RouteTable<Target> {
  readonly #routes: readonly CompiledRoute<Target>[];
  readonly #fallback: Target | undefined;

  constructor(targets: ReadonlyMap<string, Target>) {
    this.#fallback = targets.get('$default');
    this.#routes = [...targets]
      .filter(([routeKey]) => routeKey !== '$default')
      .map(([routeKey, target]) => compile(routeKey, target))
      .sort(bySpecificity);
  }

  match(method: string, path: string): RouteMatch<Target> | undefined {
    const segments = path.split('/').slice(1);
    for (const route of this.#routes) {
      if (route.method !== method && route.method !== 'ANY') continue;
      const parameters = matchSegments(route.segments, segments);
      if (parameters) return { routeKey: route.routeKey, target: route.target, parameters };
    }
    if (this.#fallback === undefined) return undefined;
    return { routeKey: '$default', target: this.#fallback, parameters: {} };
  }
}

function compile<Target>(routeKey: string, target: Target): CompiledRoute<Target> {
  const [method = '', path = ''] = routeKey.split(' ');
  if (path.includes('+}')) throw new Error(`greedy route keys are not supported: ${routeKey}`);
  return { routeKey, method, segments: path.split('/').slice(1), target };
}

function bySpecificity(a: CompiledRoute<unknown>, b: CompiledRoute<unknown>): number {
  for (let i = 0; i < Math.min(a.segments.length, b.segments.length); i += 1) {
    const difference =
      Number(isParameter(a.segments[i] ?? '')) - Number(isParameter(b.segments[i] ?? ''));
    if (difference !== 0) return difference;
  }
  return Number(a.method === 'ANY') - Number(b.method === 'ANY');
}

function matchSegments(
  pattern: readonly string[],
  segments: readonly string[],
): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [i, expected] of pattern.entries()) {
    const actual = segments[i] ?? '';
    if (!isParameter(expected)) {
      if (expected !== actual) return undefined;
    } else {
      if (actual === '') return undefined;
      parameters[expected.slice(1, -1)] = decoded(actual);
    }
  }
  return parameters;
}

/** A malformed escape stays as it was sent. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

import { DAY_MS, SECOND_MS } from '../shared/units.ts';
import type { Write } from '../shared/world.ts';
import type { Endpoint } from './endpoint.ts';

/** Another instance's clock may be ahead by so much; what is later yet blocks nobody. */
const CLOCKS_APART_MS = 5 * SECOND_MS;

/** Takes this second for a test-send. Refused when somebody has it already, by any clock. */
export function claimTestSend({ tenantId, id }: Pick<Endpoint, 'tenantId' | 'id'>, nowMs: number) {
  return {
    kind: 'update',
    table: 'endpoints',
    key: { pk: `${tenantId}#${id}`, sk: 'TEST' },
    update: 'SET sentAt = :now, v = :v, #ttl = :ttl',
    names: { '#ttl': 'ttl' },
    condition: 'attribute_not_exists(sentAt) OR sentAt <= :since OR sentAt > :ahead',
    values: {
      ':now': nowMs,
      ':v': 1,
      ':ttl': Math.floor((nowMs + DAY_MS) / SECOND_MS),
      ':since': nowMs - SECOND_MS,
      ':ahead': nowMs + CLOCKS_APART_MS,
    },
  } as const satisfies Write;
}

import { route } from '../shared/http/route.ts';
import { toInstant } from '../shared/wire.ts';
import type { World } from '../shared/world.ts';
import { healthRoute } from './contract.ts';

/** GET /health. Touches nothing: it tells that the function runs, and which build it is. */
export const getHealth = (build: string) =>
  route(healthRoute, async (_call, { clock }: Pick<World, 'clock'>) => ({
    body: { status: 'ok' as const, build, time: toInstant(clock.nowMs()) },
  }));

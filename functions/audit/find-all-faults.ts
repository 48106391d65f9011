import type { World } from '../shared/world.ts';
import { type Finding, openAudit, PATIENCE_MS, type Position } from './audit.ts';
import { CHECKS } from './take-step.ts';

const ROWS_MAX = 5_000;

/** What an audit would find in a tenant's ledger, all of it and at once; nothing is stored. */
export async function* findAllFaults(
  world: Pick<World, 'clock' | 'db'>,
  tenantId: string,
): AsyncGenerator<readonly Finding[]> {
  // Nobody is writing: what is not there by now does not come.
  let nowMs = world.clock.nowMs() + 2 * PATIENCE_MS;
  const clock = { ...world.clock, nowMs: () => nowMs };
  const audit = openAudit({ id: 'aud_', tenantId }, nowMs);
  let position: Position | undefined = audit.position;
  while (position) {
    const look = { audit, position, rowsMax: ROWS_MAX };
    const advance = await CHECKS[position.phase]({ ...world, clock }, look);
    yield advance.gain.findings;
    position = advance.position;
    // It has a time that is still to come: waiting would not end.
    if (advance.isWaiting) nowMs = Number.MAX_SAFE_INTEGER;
  }
}

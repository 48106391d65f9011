import { type InstanceMeters, openMeters } from './meters.ts';
import { embedDeltas, embeddedMetrics, jsonLog, systemClock, systemIds } from './system.ts';
import type { World } from './world.ts';

/** The doors that every function has. */
export type Instance = Pick<World, 'clock' | 'ids' | 'log' | 'metrics'> & {
  readonly meters: InstanceMeters;
};

/** Those of the function with this path under `functions/`. What alarms look at is counted, too. */
export function openInstance(entry: string): Instance {
  const meters = openMeters(entry, (deltas) => embedDeltas(entry, deltas));
  const metrics: World['metrics'] = {
    count(name, value) {
      embeddedMetrics.count(name, value);
      meters.count('tallyhook_signals_total', { signal: name });
    },
  };
  return { clock: systemClock, ids: systemIds, log: jsonLog, metrics, meters };
}

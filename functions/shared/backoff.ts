/** Full jitter: uniform between 0 and base × 2^attempt, capped. `attempt` counts from 0. */
export function fullJitterMs(
  attempt: number,
  limits: { readonly baseMs: number; readonly capMs: number },
  random: number,
): number {
  return Math.floor(random * Math.min(limits.capMs, limits.baseMs * 2 ** attempt));
}

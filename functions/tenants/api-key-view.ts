import { toInstant } from '../shared/wire.ts';
import { type ApiKey, statusAt } from './api-key.ts';

const instantOf = (ms: number | undefined) => (ms === undefined ? undefined : toInstant(ms));

/** The key as the API shows it, at a time: its last four characters, and never all of it. */
export function apiKeyView(key: ApiKey, nowMs: number) {
  return {
    id: key.id,
    object: 'key' as const,
    name: key.name,
    scopes: [...key.scopes],
    lastFour: key.lastFour,
    status: statusAt(key, nowMs),
    rateLimit: key.rateLimit,
    expiresAt: instantOf(key.expiresAtMs),
    revokedAt: instantOf(key.revokedAtMs),
    createdAt: toInstant(key.createdAtMs),
  };
}

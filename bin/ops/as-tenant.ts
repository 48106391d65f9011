import type { Clock } from '../../functions/shared/world.ts';
import { type ApiCaller, apiCaller } from './api-caller.ts';
import type { Desk } from './command.ts';

const MINUTE_MS = 60_000;
/** A command that is killed leaves its key behind for so long. */
const LIFETIME_MS = 15 * MINUTE_MS;
/** A command that waits for longer gets another one by then. */
const RENEWAL_MS = 10 * MINUTE_MS;

interface NewKey {
  readonly id: string;
  readonly key: string;
}

/** Whose key, and for what. */
interface Order {
  readonly tenantId: string;
  readonly scopes: readonly string[];
  readonly name: string;
}

/** What is known of the place, of the time, and of whom to tell. */
interface Place extends Pick<Desk, 'note'> {
  readonly at: Pick<Desk['at'], 'admin'>;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/**
 * Lets a command do what a tenant's key may: by one of its own with these scopes, which the
 * operator's key makes. It ends by itself after a quarter of an hour, is renewed for as long as the
 * work lasts, and is revoked in the end; where that fails it is told, and the result stands.
 */
export async function asTenant<Result>(
  { at, clock, note }: Place,
  order: Order,
  work: (tenant: ApiCaller) => Promise<Result>,
): Promise<Result> {
  const admin = await at.admin();
  const make = () => makeKey(admin, order, clock.nowMs());
  const revoke = (it: HeldKey) => revokeKey(admin.url, it, note);
  let held = await make();
  const current = async () => {
    if (clock.nowMs() < held.renewAtMs) return held.key;
    const old = held;
    held = await make();
    await revoke(old);
    return held.key;
  };
  try {
    return await work(apiCaller(admin.url, current));
  } finally {
    await revoke(held);
  }
}

interface HeldKey extends NewKey {
  readonly tenantId: string;
  readonly renewAtMs: number;
  readonly expiresAt: string;
}

async function makeKey(
  admin: ApiCaller,
  { tenantId, scopes, name }: Order,
  nowMs: number,
): Promise<HeldKey> {
  const expiresAt = new Date(nowMs + LIFETIME_MS).toISOString();
  const terms = { name, scopes: [...scopes, 'keys:write'], expiresAt };
  const path = `/v1/tenants/${encodeURIComponent(tenantId)}/keys`;
  const { id, key } = await admin.call<NewKey>('POST', path, terms);
  return { id, key, tenantId, renewAtMs: nowMs + RENEWAL_MS, expiresAt };
}

/** By itself: nobody else may. Never throws. */
async function revokeKey(
  url: string,
  { id, key, tenantId, expiresAt }: HeldKey,
  note: (line: string) => void,
): Promise<void> {
  try {
    await apiCaller(url, key).call('DELETE', `/v1/keys/${id}`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    note(
      `the key ${id} of ${tenantId} is not revoked (${reason}): it ends by itself at ${expiresAt}`,
    );
  }
}

import * as z from 'zod';

/** The text of a master key by version, and which of them new things are sealed with. */
export interface KeyRing {
  readonly current: number;
  readonly keys: Readonly<Record<string, string>>;
  /** A rotation that was begun and is not at its end. */
  readonly rotation?: RingRotation;
}

/** `added`: everybody is learning of the new key. `current`: everybody is to seal with it. */
export interface RingRotation {
  readonly phase: 'added' | 'current';
  readonly to: number;
  /** When this phase began. */
  readonly atMs: number;
}

const StoredRing = z.object({
  current: z.int().positive(),
  keys: z.record(z.string().regex(/^[1-9]\d{0,8}$/), z.string()),
  rotation: z
    .object({
      phase: z.enum(['added', 'current']),
      to: z.int().positive(),
      atMs: z.number(),
    })
    .exactOptional(),
});

/**
 * Reads what the secret of the master key says: a ring as JSON, or just one key, which is then
 * version 1. Throws when it is neither, and never repeats any of it.
 */
export function readKeyRing(secret: string): KeyRing {
  if (!/^\s*\{\s*"/.test(secret)) return { current: 1, keys: { 1: secret } };

  const ring = StoredRing.safeParse(parseQuietly(secret));
  if (!ring.success) throw new Error('the master key is not a key ring');
  for (const version of [ring.data.current, ring.data.rotation?.to ?? ring.data.current]) {
    if (!(version in ring.data.keys)) throw new Error(`the master key has no version ${version}`);
  }
  return ring.data;
}

/** The ring with a key that nothing is sealed with before everybody has read it. */
export function withNewKey(ring: KeyRing, key: string, nowMs: number): KeyRing {
  const to = Math.max(...Object.keys(ring.keys).map(Number)) + 1;
  const rotation = { phase: 'added', to, atMs: nowMs } as const;
  return { ...ring, keys: { ...ring.keys, [to]: key }, rotation };
}

/** The ring whose new key everybody has read, so that they may seal with it. */
export function withCurrent(ring: KeyRing, to: number, nowMs: number): KeyRing {
  return { ...ring, current: to, rotation: { phase: 'current', to, atMs: nowMs } };
}

/** The ring at rest. Older keys stay in it: what is restored from a backup needs them. */
export function atRest({ current, keys }: KeyRing): KeyRing {
  return { current, keys };
}

/** JSON.parse repeats the text in its error, and this text is a secret. */
function parseQuietly(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

import { isSealedWithCurrent, type MasterKey, seal, unseal } from '../shared/sealed.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { Ids } from '../shared/world.ts';
import { type SealedSecret, type Source, secretContext } from './source.ts';

/** Secrets that a source has at a time. */
const SECRETS_MAX = 3;

/** What sealing needs. */
export interface Sealer {
  readonly masterKey: MasterKey;
  readonly ids: Pick<Ids, 'secretBytes'>;
}

type Named = Pick<Source, 'tenantId' | 'id'>;

/** The only secret of a new source. */
export function sealSecret(name: Named, secret: string, { masterKey, ids }: Sealer): SealedSecret {
  return { sealed: seal(masterKey, { plaintext: secret, context: secretContext(name) }, ids) };
}

/** The secrets that a webhook may be signed with now, in plain text, the newest first. */
export function openSecrets(source: Source, masterKey: MasterKey, nowMs: number): string[] {
  const context = secretContext(source);
  return active(source, nowMs).map(({ sealed }) => unseal(masterKey, sealed, context));
}

function active({ secrets }: Source, nowMs: number): readonly SealedSecret[] {
  return secrets.filter(({ untilMs }) => untilMs === undefined || untilMs > nowMs);
}

/** A new secret, and how long signatures with the older ones are good as well. */
export interface Rotation {
  readonly secret: string;
  readonly graceSeconds: number;
  readonly nowMs: number;
}

/**
 * The secrets after a rotation: the new one, and of the others the newest that still live, none
 * longer than it would have without this. A secret that comes back is the new one, and no copy.
 */
export function rotateSecrets(
  source: Source,
  { secret, graceSeconds, nowMs }: Rotation,
  sealer: Sealer,
): readonly SealedSecret[] {
  const context = secretContext(source);
  const endMs = nowMs + graceSeconds * SECOND_MS;
  const older = active(source, nowMs)
    .filter(({ sealed }) => unseal(sealer.masterKey, sealed, context) !== secret)
    .map((it) => ({ ...it, untilMs: Math.min(it.untilMs ?? endMs, endMs) }));
  const kept = graceSeconds > 0 ? older : [];
  return [sealSecret(source, secret, sealer), ...kept].slice(0, SECRETS_MAX);
}

/** Whether no secret of the source is sealed with an older version of the master key. */
export function isSealedAnew({ secrets }: Source, masterKey: MasterKey): boolean {
  return secrets.every(({ sealed }) => isSealedWithCurrent(masterKey, sealed));
}

/** The source with all its secrets under the current version of the master key. */
export function resealSource(source: Source, sealer: Sealer): Source {
  const context = secretContext(source);
  const secrets = source.secrets.map((it) => {
    const plaintext = unseal(sealer.masterKey, it.sealed, context);
    return { ...it, ...sealSecret(source, plaintext, sealer) };
  });
  return { ...source, secrets };
}

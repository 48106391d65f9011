import { isSealedWithCurrent, type MasterKey, seal, unseal } from '../shared/sealed.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { Ids } from '../shared/world.ts';
import {
  type Endpoint,
  headersContext,
  type Rotation,
  type SealedHeaders,
  secretContext,
} from './endpoint.ts';

/** Whose parts are sealed: what was sealed for one endpoint opens for no other. */
type Named = Pick<Endpoint, 'tenantId' | 'id'>;

/** Signing secrets that an endpoint has at a time. */
const SECRETS_MAX = 3;

/** What sealing needs. */
export interface Sealer {
  readonly masterKey: MasterKey;
  readonly ids: Pick<Ids, 'secretBytes'>;
}

/** The only secret of a new endpoint. */
export function sealFirstSecret(name: Named, secret: string, sealer: Sealer): Endpoint['secrets'] {
  const context = secretContext(name);
  return [{ sealed: seal(sealer.masterKey, { plaintext: secret, context }, sealer.ids) }];
}

/** The secrets that a webhook is signed with now, in plain text, the newest first. */
export function openSecrets(endpoint: Endpoint, masterKey: MasterKey, nowMs: number): string[] {
  const context = secretContext(endpoint);
  return active(endpoint, nowMs).map(({ sealed }) => unseal(masterKey, sealed, context));
}

function active({ secrets }: Endpoint, nowMs: number): Endpoint['secrets'] {
  return secrets.filter(({ untilMs }) => untilMs === undefined || untilMs > nowMs);
}

/** A new secret, by which request, and how long the older ones are signed with as well. */
export interface NewSecret {
  readonly secret: string;
  readonly rotation?: Rotation | undefined;
  readonly graceSeconds: number;
  readonly nowMs: number;
}

/**
 * The secrets after a rotation: the new one, and of the others the newest that still live, none
 * longer than it would have without this. A secret that comes back is the new one, and no copy.
 */
export function rotateSecrets(
  endpoint: Endpoint,
  { secret, rotation, graceSeconds, nowMs }: NewSecret,
  sealer: Sealer,
): Endpoint['secrets'] {
  const context = secretContext(endpoint);
  const endMs = nowMs + graceSeconds * SECOND_MS;
  const older = active(endpoint, nowMs)
    .filter(({ sealed }) => unseal(sealer.masterKey, sealed, context) !== secret)
    .map((it) => ({ ...it, untilMs: Math.min(it.untilMs ?? endMs, endMs) }));
  const kept = graceSeconds > 0 ? older : [];
  const newest = sealFirstSecret(endpoint, secret, sealer).map((it) => ({ ...it, rotation }));
  return [...newest, ...kept].slice(0, SECRETS_MAX);
}

/** The secret that this request has made already, while that is active, and the request. */
export function findRotated(
  endpoint: Endpoint,
  rotation: Pick<Rotation, 'id'> | undefined,
  { masterKey, nowMs }: { readonly masterKey: MasterKey; readonly nowMs: number },
): { readonly secret: string; readonly rotation: Rotation } | undefined {
  const made = rotation && active(endpoint, nowMs).find((it) => it.rotation?.id === rotation.id);
  if (!made?.rotation) return undefined;
  const secret = unseal(masterKey, made.sealed, secretContext(endpoint));
  return { secret, rotation: made.rotation };
}

/** Undefined where there is no header. The names are in lower case already. */
export function sealHeaders(
  name: Named,
  headers: Readonly<Record<string, string>>,
  { masterKey, ids }: Sealer,
): SealedHeaders | undefined {
  const names = Object.keys(headers).sort();
  if (names.length === 0) return undefined;
  const what = { plaintext: JSON.stringify(headers), context: headersContext(name) };
  return { names, sealed: seal(masterKey, what, ids) };
}

/** The headers that the tenant wants to be sent, in plain text. */
export function openHeaders(endpoint: Endpoint, masterKey: MasterKey): Record<string, string> {
  if (!endpoint.headers) return {};
  // What opens was sealed by `sealHeaders`, and is nothing else.
  return JSON.parse(unseal(masterKey, endpoint.headers.sealed, headersContext(endpoint)));
}

/** Whether nothing of the endpoint is sealed with an older version of the master key. */
export function isSealedAnew({ secrets, headers }: Endpoint, masterKey: MasterKey): boolean {
  const all = [...secrets, ...(headers ? [headers] : [])];
  return all.every(({ sealed }) => isSealedWithCurrent(masterKey, sealed));
}

/** The endpoint with all that is sealed of it under the current version of the master key. */
export function resealEndpoint(endpoint: Endpoint, { masterKey, ids }: Sealer): Endpoint {
  const { headers } = endpoint;
  const reseal = <Sealed extends { readonly sealed: string }>(it: Sealed, context: string) => {
    const plaintext = unseal(masterKey, it.sealed, context);
    return { ...it, sealed: seal(masterKey, { plaintext, context }, ids) };
  };
  return {
    ...endpoint,
    secrets: endpoint.secrets.map((it) => reseal(it, secretContext(endpoint))),
    headers: headers && reseal(headers, headersContext(endpoint)),
  };
}

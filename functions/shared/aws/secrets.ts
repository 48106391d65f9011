import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { lazily } from '../lazily.ts';
import { systemClock } from '../system.ts';
import { MINUTE_MS } from '../units.ts';
import type { Secrets } from '../world.ts';
import { answered, PATIENCE } from './answered.ts';

const CACHE_MS = 5 * MINUTE_MS;

type SecretName = Parameters<Secrets['read']>[0];

/** The World's secrets on Secrets Manager. `secretIds` names those that this function may read. */
export function openSecrets(secretIds: Readonly<Partial<Record<SecretName, string>>>): Secrets {
  const client = lazily(() => new SecretsManagerClient(PATIENCE));
  const cache = new Map<SecretName, { value: Promise<string>; untilMs: number }>();

  async function fetchSecret(name: SecretName): Promise<string> {
    const id = secretIds[name];
    if (id === undefined) throw new Error(`this function may not read the secret ${name}`);
    const { SecretString } = await answered('secret store', () =>
      client().send(new GetSecretValueCommand({ SecretId: id })),
    );
    if (!SecretString) throw new Error(`the secret ${name} is empty`);
    return SecretString;
  }

  return {
    read(name) {
      const nowMs = systemClock.nowMs();
      const cached = cache.get(name);
      if (cached && cached.untilMs > nowMs) return cached.value;
      const value = fetchSecret(name);
      cache.set(name, { value, untilMs: nowMs + CACHE_MS });
      // A failed read is not remembered.
      value.catch(() => cache.delete(name));
      return value;
    },
  };
}

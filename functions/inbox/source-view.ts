import { toInstant } from '../shared/wire.ts';
import type { Source } from './source.ts';

interface Asked {
  header(name: string): string | undefined;
}

/** A source as its tenant sees it: never its secrets. */
export function sourceView(source: Source, asked: Asked) {
  const { id, name, scheme, hmac, overflow, maxBacklog, ratePerSecond, dedupeSeconds } = source;
  const { forwardAs, status, createdAtMs, updatedAtMs } = source;
  return {
    ...{ id, object: 'source' as const, name, url: urlOf(source, asked), scheme },
    hmac: hmac && hmacView(hmac),
    ...{ overflow, maxBacklog, ratePerSecond },
    dedupe: dedupeSeconds === undefined ? undefined : { windowSeconds: dedupeSeconds },
    ...{ forwardAs, status, createdAt: toInstant(createdAtMs), updatedAt: toInstant(updatedAtMs) },
  };
}

function hmacView({ header, algorithm, encoding, prefix, idHeader }: NonNullable<Source['hmac']>) {
  return {
    ...{ header, algorithm, encoding },
    ...(prefix !== undefined && { prefix }),
    ...(idHeader !== undefined && { idHeader }),
  };
}

/** Under the host that was asked: API Gateway lets only its own hosts through. */
function urlOf({ id }: Pick<Source, 'id'>, { header }: Asked): string {
  const host = header('host');
  const path = `/v1/in/${id}`;
  return host === undefined ? path : `${header('x-forwarded-proto') ?? 'http'}://${host}${path}`;
}

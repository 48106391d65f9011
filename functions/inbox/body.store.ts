import { KIB, SECOND_MS } from '../shared/units.ts';
import type { Db, Write } from '../shared/world.ts';
import { RETENTION_MS } from './receipt.ts';

/** Quota of an item: 400 KB with its names. A longer body lies in several. */
const PIECE_BYTES = 300 * KIB;

/** Twice as long as a receipt, so that one that was open for weeks finds its body. */
const BODY_LIFE_MS = 2 * RETENTION_MS;

interface Named {
  readonly tenantId: string;
  readonly id: string;
  /** Of the body, in base64url: bodies that are sent under one name do not overwrite each other. */
  readonly sha256: string;
}

function pieceKey({ tenantId, id, sha256 }: Named, piece: number) {
  return { pk: `${tenantId}#${id}`, sk: `BODY#${sha256}#${piece}` };
}

/** How many items a body of this length takes. */
function piecesOf(bytes: number): number {
  return Math.ceil(bytes / PIECE_BYTES);
}

/** A body, before its receipt is written. Each of them is a write of its own. */
export function insertBody(named: Named, body: Uint8Array, nowMs: number): Write[] {
  const ttl = Math.floor((nowMs + BODY_LIFE_MS) / SECOND_MS);
  return Array.from({ length: piecesOf(body.length) }, (_, piece) => {
    const bytes = body.subarray(piece * PIECE_BYTES, (piece + 1) * PIECE_BYTES);
    const item = { ...pieceKey(named, piece), v: 1, bytes, ttl };
    return { kind: 'put', table: 'inbox', item } as const;
  });
}

/** The exact bytes. Throws when they are not there any more. */
export async function findBody(
  db: Pick<Db, 'getAll'>,
  named: Named & { readonly bytes: number },
): Promise<Uint8Array> {
  const body = await findWholeBody(db, named);
  if (!body) throw new Error(`the body of ${named.id} is not complete`);
  return body;
}

/** The same; undefined when a part of them is not there any more. */
export async function findWholeBody(
  db: Pick<Db, 'getAll'>,
  named: Named & { readonly bytes: number },
): Promise<Uint8Array | undefined> {
  const keys = Array.from({ length: piecesOf(named.bytes) }, (_, piece) => ({
    table: 'inbox' as const,
    ...pieceKey(named, piece),
  }));
  const pieces = (await db.getAll(keys)).map((it) => it?.bytes);
  const found = pieces.filter((it) => it instanceof Uint8Array);
  const body = Buffer.concat(found);
  return body.length === named.bytes ? body : undefined;
}

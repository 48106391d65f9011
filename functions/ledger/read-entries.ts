import { type Call, route } from '../shared/http/route.ts';
import { makeCursor, openCursor } from '../shared/page.ts';
import { Problem } from '../shared/problem.ts';
import { toInstant } from '../shared/wire.ts';
import type { World } from '../shared/world.ts';
import { accountKey, toAccount } from './account.store.ts';
import { WORLD } from './account.ts';
import {
  readShardedStatement,
  readStatement,
  type StatementPage,
  type StatementPosition,
  type StatementRange,
} from './read-statement.ts';
import { listEntriesRoute } from './statement.contract.ts';
import { type StatementLine, statementOf, statementOfWorld } from './statement.ts';

type Needs = Pick<World, 'db' | 'secrets'>;
type EntriesCall = Call<typeof listEntriesRoute>;

/**
 * GET /v1/accounts/{id}/entries: one query, or 16 for a derived account and `@world`. Refuses with
 * `busy` what would have a gap in it.
 */
export const listEntries = route(listEntriesRoute, async (call: EntriesCall, world: Needs) => {
  const { id } = call.params;
  const { from: fromMs, to: toMs, limit, cursor, currency = '' } = call.query;
  const boundTo = [call.tenantId, 'entries', id, currency, `${fromMs}`, `${toMs}`];
  const key = await world.secrets.read('cursor-key');
  const after = cursor === undefined ? undefined : toPosition(openCursor(cursor, boundTo, key));
  const page = await readPage(call, world, { fromMs, toMs, limit, after });
  const nextCursor = page.next && makeCursor({ ...page.next }, boundTo, key);
  const { upToSeq } = page;
  return {
    body: {
      data: page.lines.map(entryView),
      upToSeq,
      nextCursor,
      hasMore: nextCursor !== undefined,
    },
  };
});

async function readPage(
  { tenantId, params, query }: EntriesCall,
  world: Needs,
  range: StatementRange,
): Promise<StatementPage> {
  assertCurrency(params.id, query.currency);
  if (params.id === WORLD) {
    return readShardedStatement(world, statementOfWorld(tenantId, query.currency ?? ''), range);
  }
  const item = await world.db.get('ledger', accountKey(tenantId, params.id));
  if (!item) throw new Problem('not_found');
  const account = toAccount(item);
  return account.mode === 'derived'
    ? readShardedStatement(world, statementOf(account), range)
    : readStatement(world, account, range);
}

/**
 * `@world` is asked for in one currency, and any other account has its own. Refuses with
 * `validation_failed`.
 */
export function assertCurrency(accountId: string, currency: string | undefined): void {
  if ((accountId === WORLD) === (currency !== undefined)) return;
  const detail =
    accountId === WORLD
      ? 'is required: @world has one balance and one statement per currency'
      : 'is for @world only: an account has one currency';
  throw new Problem('validation_failed', {
    detail: `?currency ${detail}.`,
    errors: [{ pointer: '?currency', code: 'invalid', detail }],
  });
}

function toPosition({ sk, seq, upToSeq }: Readonly<Record<string, unknown>>): StatementPosition {
  return {
    sk: String(sk),
    ...(typeof seq === 'number' && { seq }),
    ...(typeof upToSeq === 'number' && { upToSeq }),
  };
}

function entryView(line: StatementLine) {
  const { standing } = line;
  return {
    seq: standing?.seq,
    transactionId: line.transactionId,
    holdId: line.holdId,
    type: line.type,
    amount: String(line.amount),
    balanceAfter: standing?.balanceAfter.toString(),
    availableAfter: standing?.availableAfter.toString(),
    at: toInstant(line.atMs),
    reference: line.reference,
  };
}

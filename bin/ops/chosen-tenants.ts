import type { Db } from '../../functions/shared/world.ts';
import { listTenants } from '../stack-resources.ts';
import { Refusal } from './command.ts';

/**
 * The ids of all tenants, or the one that was given. Refuses one that there is not: all would look
 * well there, because nothing is found. With `onUnlisted` one is taken that is not listed, and
 * told: torn tables may have lost just that.
 */
export async function* chosenTenants(
  db: Pick<Db, 'get' | 'query'>,
  given: string | undefined,
  onUnlisted?: (tenantId: string) => void,
): AsyncGenerator<string> {
  if (given === undefined) {
    yield* listTenants(db);
    return;
  }
  const isId = given.startsWith('ten_');
  const isListed = isId && (await db.get('control', { pk: given, sk: '#' })) !== undefined;
  if (!isListed && !(isId && onUnlisted)) throw new Refusal(`there is no tenant ${given}`);
  if (!isListed) onUnlisted?.(given);
  yield given;
}

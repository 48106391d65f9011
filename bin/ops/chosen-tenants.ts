import type { Db } from '../../functions/shared/world.ts';
import { listTenants } from '../stack-resources.ts';
import { Refusal } from './command.ts';

/**
 * The ids of all tenants, or the one that was given. Refuses one that there is not: all would look
 * well there, because nothing is found.
 */
export async function* chosenTenants(
  db: Pick<Db, 'get' | 'query'>,
  given: string | undefined,
): AsyncGenerator<string> {
  if (given === undefined) {
    yield* listTenants(db);
    return;
  }
  const isTenant = given.startsWith('ten_') && (await db.get('control', { pk: given, sk: '#' }));
  if (!isTenant) throw new Refusal(`there is no tenant ${given}`);
  yield given;
}

import type { World } from '../../functions/shared/world.ts';

/** What every door of a dead worker throws. */
export class Killed extends Error {
  override readonly name = 'Killed';
}

export interface KillOrder {
  /** The call to a door at which the worker dies, counted from 1. */
  readonly atCall: number;
  /** Whether that call still takes effect, and only its answer is lost. */
  readonly withEffect: boolean;
}

/** The doors of a worker that dies at a certain call: that one fails, and all that come later. */
export function killableDoors<Doors extends Omit<World, 'deadLetters'>>(
  doors: Doors,
  { atCall, withEffect }: KillOrder,
): Doors & { isKilled(): boolean } {
  let calls = 0;
  async function pass<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    calls += 1;
    const mine = calls;
    if (mine > atCall || (mine === atCall && !withEffect)) throw new Killed();
    const answer = await call();
    // Also what was under way when the worker died gets no answer.
    if (calls >= atCall) throw new Killed();
    return answer;
  }
  const { bucket, db, http, queues } = doors;
  return {
    ...doors,
    isKilled: () => calls >= atCall,
    db: {
      get: (table, key) => pass(() => db.get(table, key)),
      getAll: (keys) => pass(() => db.getAll(keys)),
      query: (query) => pass(() => db.query(query)),
      commit: (writes) => pass(() => db.commit(writes)),
    },
    http: { ...http, post: (request) => pass(() => http.post(request)) },
    queues: { send: (queue, messages) => pass(() => queues.send(queue, messages)) },
    bucket: {
      ...bucket,
      put: (key, body, type) => pass(() => bucket.put(key, body, type)),
      read: async (key, range) => {
        const chunks = await pass(() => bucket.read(key, range));
        return chunks && eachChunk(chunks, pass);
      },
      stat: (key, version) => pass(() => bucket.stat(key, version)),
    },
  };
}

/** A worker may die between any two chunks that it reads. */
async function* eachChunk(
  chunks: AsyncIterable<Uint8Array>,
  pass: (call: () => Promise<Uint8Array>) => Promise<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield await pass(async () => chunk);
}

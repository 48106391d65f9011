import { beforeEach, describe, expect, it } from 'vitest';
import { cancel, release } from '../../functions/files/change-state.ts';
import type { AlertFile, FileDraft } from '../../functions/files/file.ts';
import { DAY_MS } from '../../functions/shared/units.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { FilesHouse } from './files-house.ts';

let house: FilesHouse;
let endpoint: Endpoint;
beforeEach(async () => {
  house = await FilesHouse.open();
  endpoint = await house.addEndpoint();
});

const HALF_MALFORMED = 'user_id,n\nu1,1\n,2\n';

/** The file when it was read, and its first blocks are about to begin. */
async function read(given: Partial<FileDraft> = {}): Promise<AlertFile> {
  const file = await house.upload(endpoint, HALF_MALFORMED, { onMalformed: 'skip', ...given });
  await house.handleAll();
  return house.find(file);
}

describe('bytes that were never sent', () => {
  it.each<[string, Partial<FileDraft>]>([
    ['needs_approval', { onMalformed: 'ask' }],
    ['ready', { release: 'manual' }],
  ])('are no repeat after a file that was %s was cancelled', async (state, given) => {
    const waiting = await read(given);
    expect(waiting.state).toBe(state);
    await house.act(cancel, waiting);

    expect((await read()).state).toBe('delivering');
  });

  it('are a repeat as long as another file waits with them', async () => {
    await read({ release: 'manual' });
    expect(await read()).toMatchObject({ state: 'needs_approval', reason: 'same_content' });
  });

  it('are no repeat when the mark of them has come to its end', async () => {
    const waiting = await read({ release: 'manual' });
    house.world.clock.advance(3 * DAY_MS);
    const pk = `${waiting.tenantId}#${endpoint.id}#${waiting.contentHash}`;
    await house.world.db.commit([{ kind: 'remove', table: 'files', key: { pk, sk: 'SAME' } }]);
    await house.act(cancel, waiting);
    expect((await house.find(waiting)).state).toBe('cancelled');
    expect((await read()).state).toBe('delivering');
  });
});

describe('bytes that were sent stay a repeat', () => {
  it.each<[string, Partial<FileDraft>]>([
    ['asked for them', {}],
    ['waited by hand, and might repeat them,', { allowRepeat: true, release: 'manual' }],
    ['had too many malformed rows', { allowRepeat: true, onMalformed: 'ask' }],
  ])('after another file that %s was cancelled', async (_what, given) => {
    expect((await read()).state).toBe('delivering');
    await house.act(cancel, await read(given));

    expect(await read()).toMatchObject({ state: 'needs_approval', reason: 'same_content' });
  });

  it('after they were released, and cancelled while they were going out', async () => {
    const waiting = await read({ release: 'manual' });
    await house.act(release, waiting);
    await house.act(cancel, waiting);

    expect(await read()).toMatchObject({ state: 'needs_approval', reason: 'same_content' });
  });

  it('from the release on of a file that might repeat them', async () => {
    const waiting = await read({ allowRepeat: true, release: 'manual' });
    house.world.clock.advance(2 * DAY_MS);
    await house.act(release, waiting);

    expect(await read()).toMatchObject({ state: 'needs_approval', reason: 'same_content' });
  });
});

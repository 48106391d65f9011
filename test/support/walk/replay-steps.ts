import type { Walk } from './walk.ts';

/** Tries a replay out, makes one, and looks at it until it is done. */
export async function walkReplays(walk: Walk, endpointId: string): Promise<void> {
  const [from, to] = ['2026-01-01T00:00:00Z', '2099-01-01T00:00:00Z'];
  const asked = { endpointId, from, to, statuses: ['delivered'] };
  await walk.call('createReplay', { body: { ...asked, dryRun: true } });
  const replay = await walk.call('createReplay', { body: asked });
  await walk.call('listReplays', { query: { endpointId } });
  await walk.call('getReplay', {
    params: { id: String(replay.id) },
    until: ({ status }) => String(status) === 'done',
  });
  await walk.call('cancelReplay', { params: { id: String(replay.id) } });
}

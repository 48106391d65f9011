import { type Body, idOf, type Walk } from './walk.ts';

/** How each user of a file fared. */
export async function walkResults(walk: Walk, file: Body): Promise<void> {
  await walk.call('listResults', { params: idOf(file), query: { status: 'delivered' } });
  const body = { what: 'results', status: 'delivered' };
  await walk.call('exportFile', { params: idOf(file), body });
}

/** A file that needs approval and is so slow that there is time to pause it. */
export async function walkActions(walk: Walk, endpointId: string): Promise<void> {
  const users = 'user_id,first_name\nuser-3,Lin\n,Nobody\nuser-4,Edsger\n';
  const slow = await announce(walk, users, { endpointId, ratePerSecond: 0.01 });
  const params = idOf(slow);
  await walk.setUp('getFile', {
    params,
    until: ({ status }) => String(status) === 'needs_approval',
  });
  await walk.call('listErrors', { params });
  await walk.call('releaseFile', { params });
  await walk.call('pauseFile', { params });
  await walk.call('resumeFile', { params });
  await walk.call('cancelFile', { params });
}

/** Announces a file and uploads it by the form of the answer, as a browser would. */
export async function announce(
  walk: Walk,
  content: string,
  about: Readonly<Record<string, string | number>>,
): Promise<Body> {
  const body = { name: 'users.csv', size: Buffer.byteLength(content), ...about };
  const file = await walk.call('createFile', { body });
  const form = new FormData();
  for (const [name, value] of Object.entries(file.upload?.fields ?? {})) {
    form.append(name, String(value));
  }
  form.append('file', new Blob([content]), 'users.csv');
  const answer = await fetch(String(file.upload?.url), { method: 'POST', body: form });
  if (!answer.ok) throw new Error(`no upload: ${answer.status} ${await answer.text()}`);
  return file;
}

import { randomUUID } from 'node:crypto';
import * as z from 'zod';

/** Calls the API as a tenant would; anything but success ends the demonstration. */
export interface DemoClient {
  get<Schema extends z.ZodType>(path: string, reply: Schema): Promise<z.output<Schema>>;
  post<Schema extends z.ZodType>(
    path: string,
    body: object,
    reply: Schema,
  ): Promise<z.output<Schema>>;
}

/** A client of the API at `apiUrl` with this key. */
export function demoClient(apiUrl: string, key: string): DemoClient {
  async function call<Schema extends z.ZodType>(
    path: string,
    init: RequestInit,
    reply: Schema,
  ): Promise<z.output<Schema>> {
    const headers = { authorization: `Bearer ${key}`, ...init.headers };
    const answer = await fetch(apiUrl + path, { ...init, headers });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return reply.parse(await answer.json());
  }
  return {
    get: (path, reply) => call(path, {}, reply),
    post: (path, body, reply) =>
      call(
        path,
        {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID() },
          body: JSON.stringify(body),
        },
        reply,
      ),
  };
}

export const Id = z.object({ id: z.string() });

/** A fresh tenant's client. */
export async function newTenant(apiUrl: string, adminKey: string): Promise<DemoClient> {
  const Tenant = z.object({ apiKey: z.object({ key: z.string() }) });
  const admin = demoClient(apiUrl, adminKey);
  const limits = { requestsPerSecond: 5_000, burst: 10_000 };
  const { apiKey } = await admin.post('/v1/tenants', { name: 'Demo', limits }, Tenant);
  return demoClient(apiUrl, apiKey.key);
}

const Upload = z.object({
  id: z.string(),
  upload: z.object({ url: z.string(), fields: z.record(z.string(), z.string()) }),
});

/** Announces a file of so many users, uploads it, and answers its id. */
export async function uploadUsers(
  api: DemoClient,
  endpointId: string,
  users: number,
): Promise<string> {
  const rows = Array.from({ length: users }, (_, n) => `user-${n + 1},"Doe, Jane ${n + 1}"`);
  const content = ['user_id,name', ...rows, ''].join('\n');
  const about = { name: 'users.csv', size: content.length, endpointId, message: 'Hello' };
  const { id, upload } = await api.post('/v1/files', about, Upload);
  const form = new FormData();
  for (const [name, value] of Object.entries(upload.fields)) form.append(name, value);
  form.append('file', new Blob([content]), 'users.csv');
  const answer = await fetch(upload.url, { method: 'POST', body: form });
  if (!answer.ok) throw new Error(`the upload answered ${answer.status}`);
  return id;
}

const File = z.object({ status: z.string(), delivered: z.number(), pending: z.number() });

/** Calls `onProgress` whenever the counts have changed, until nothing is pending. */
export async function watchFile(
  api: DemoClient,
  fileId: string,
  onProgress: (file: z.output<typeof File>) => Promise<void> | void,
): Promise<void> {
  let seen = '';
  for (;;) {
    const file = await api.get(`/v1/files/${fileId}`, File);
    const now = `${file.status} ${file.delivered}`;
    if (now !== seen) await onProgress(file);
    seen = now;
    if (['completed', 'failed', 'expired'].includes(file.status)) return;
    await pause(500);
  }
}

/** Waits between two looks. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

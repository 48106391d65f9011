import type { ApiClient, Body } from './api.ts';
import { until } from './until.ts';

export interface FileView extends Body {
  readonly id: string;
  readonly status: string;
  readonly rows: number;
  readonly alerts: number;
  readonly duplicates: number;
  readonly malformed: number;
  readonly delivered: number;
  readonly failed: number;
  readonly uncertain: number;
  readonly cancelled: number;
  readonly pending: number;
  readonly upload?: {
    readonly url: string;
    readonly fields: Readonly<Record<string, string>>;
  };
  readonly error?: { readonly code: string; readonly row?: number; readonly byte?: number };
}

/** Announces the file and uploads it by the form of the answer, as a browser would. */
export async function uploadFile(
  api: ApiClient,
  { content, ...about }: { readonly content: string; readonly endpointId: string } & Body,
  headers?: Readonly<Record<string, string>>,
): Promise<FileView> {
  const size = Buffer.byteLength(content);
  const asked = { name: 'users.csv', size, ...about };
  const created = await api.post<FileView>('/v1/files', asked, headers);
  const { upload } = created.body;
  if (!upload) throw new Error(`no form: ${created.status} ${JSON.stringify(created.body)}`);
  const form = new FormData();
  for (const [name, value] of Object.entries(upload.fields)) form.append(name, value);
  form.append('file', new Blob([content]), 'users.csv');
  const answer = await fetch(upload.url, { method: 'POST', body: form });
  if (!answer.ok) throw new Error(`no upload: ${answer.status} ${await answer.text()}`);
  return created.body;
}

/** Each question is a call of the API. */
const SETTLED_STEP_MS = 200;

/** Waits until the file has come to its end. */
export async function settledFile(
  api: ApiClient,
  fileId: string,
  limitMs?: number,
): Promise<FileView> {
  return until(
    async () => (await api.get<FileView>(`/v1/files/${fileId}`)).body,
    (it) => ['completed', 'failed', 'expired'].includes(it.status),
    limitMs,
    SETTLED_STEP_MS,
  );
}

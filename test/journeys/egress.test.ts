import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { type LocalCloud, startLocalCloud } from '../../local/local-cloud.ts';
import { newTenantOf } from '../support/api.ts';
import { startRawReceiver } from '../support/raw-receiver.ts';
import { HOSTILE_URLS, literalHost, PRIVATE_ADDRESSES } from '../support/ssrf-vectors.ts';
import { newStateDir } from '../support/state-dir.ts';

let stateDir: string;
let strict: LocalCloud | undefined;

/** What `npm start -- --strict-egress` starts. */
beforeAll(async () => {
  stateDir = await newStateDir('egress');
  strict = await startLocalCloud({ port: 0, stateDir, egress: 'public', quiet: true });
});
afterAll(async () => {
  await strict?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

const TOGETHER = 4;

/** What the schema of the route lets pass. */
const isText = (url: string) => url !== '' && url.length <= 2_048 && !url.includes('\0');

it('saves no hostile URL with --strict-egress, nor one of this machine', async () => {
  const canary = await startRawReceiver((socket) => socket.end());
  const { api } = await newTenantOf(strict?.apiUrl ?? '', strict?.adminKey ?? '');
  const literals = PRIVATE_ADDRESSES.map(([, address]) => `https://${literalHost(address)}/`);
  const urls = [...HOSTILE_URLS.map(([, url]) => url), ...literals, canary.url];
  // Some together, because a name that nobody has may take its time: all would wait for each other.
  const codes: unknown[] = [];
  const left = urls.entries();
  const ask = async () => {
    for (const [at, url] of left) {
      const { status, body } = await api.post('/v1/endpoints', { url });
      codes[at] = [url, status, body.code];
    }
  };
  await Promise.all(Array.from({ length: TOGETHER }, ask));
  expect(codes).toEqual(
    urls.map((url) => [url, 422, isText(url) ? 'url_not_allowed' : 'validation_failed']),
  );
  expect(canary.connections()).toBe(0);
});

it('refuses its own API as a receiver', async () => {
  const { apiUrl, adminKey } = inject('cloud');
  const { api } = await newTenantOf(apiUrl, adminKey);
  const { port } = new URL(apiUrl);
  for (const host of ['127.0.0.1', 'localhost.', '[::1]']) {
    const own = await api.post('/v1/endpoints', { url: `http://${host}:${port}/v1/events` });
    expect([own.status, own.body.code]).toEqual([422, 'url_not_allowed']);
    expect(own.body.detail).toBe('The URL must not be that of this API.');
  }
  const other = await api.post('/v1/endpoints', { url: 'http://127.0.0.1:9/v1/events' });
  expect(other.status).toBe(201);
});

import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LocalCloud, startLocalCloud } from '../../local/local-cloud.ts';
import { type ApiClient, apiClient, type Body, newAccount, newTenantOf } from '../support/api.ts';
import { type RecordingProxy, startRecordingProxy } from '../support/recording-proxy.ts';
import { type Evidence, filesIn, hunt, type Secret } from '../support/secret-hunt.ts';
import { newStateDir } from '../support/state-dir.ts';
import { until } from '../support/until.ts';
import { settledFile, uploadFile } from '../support/upload.ts';

/** The answers that show a secret, each of them once. */
const SHOWING = [
  /^POST \/v1\/tenants$/,
  /^POST \/v1\/tenants\/ten_\w+\/keys$/,
  /^POST \/v1\/keys$/,
  /^POST \/v1\/keys\/key_\w+\/rotate$/,
  /^POST \/v1\/endpoints$/,
  /^GET \/v1\/endpoints\/end_\w+\/secret$/,
  /^POST \/v1\/endpoints\/end_\w+\/secret\/rotate$/,
];

/** The local stand-in for Secrets Manager, which only its owner can read. */
const VAULT = 'secrets.json';

const secrets: Secret[] = [];
const received: Evidence[] = [];
const receiver = http.createServer(async (request, response) => {
  const { authorization: _expected, 'x-secret': _wanted, ...headers } = request.headers;
  received.push({ where: 'a webhook', content: JSON.stringify(headers) + (await text(request)) });
  // As a page for debugging does: everything that came, in the answer of a failure.
  const status = request.url?.startsWith('/bad') ? 500 : 204;
  response.writeHead(status).end(status === 500 ? JSON.stringify(request.headers) : '');
});

let stateDir: string;
let cloud: LocalCloud;
let proxy: RecordingProxy;
let receiverUrl: string;
beforeAll(async () => {
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  receiverUrl = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  stateDir = await newStateDir('secrets');
  cloud = await startLocalCloud({ stateDir, quiet: true });
  proxy = await startRecordingProxy(cloud.apiUrl);
});
afterAll(async () => {
  receiver.closeAllConnections();
  receiver.close();
  await proxy?.close();
  await cloud?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

function remember(name: string, value: unknown): string {
  expect(value, name).toMatch(/.{24}/);
  secrets.push({ name, value: String(value) });
  return String(value);
}

it('leaves no key and no secret open in anything that it writes, stores or answers', async () => {
  const { api, key } = await newTenantOf(proxy.url, cloud.adminKey);
  remember('the first key of a tenant', key);
  const keys = [key, ...(await makeKeys(api))];
  const endpoints = await makeEndpoints(api);
  await moveMoney(api, endpoints);
  const astray = [...keys, cloud.adminKey, ...endpoints.secrets];
  await Promise.all(astray.map((it) => putInOddPlaces(api, endpoints, it)));
  await readEverything(api, endpoints);
  await api.send(`/v1/endpoints/${endpoints.bad}`, { method: 'DELETE' });
  const printed = await rotateMasterKey();
  await cloud.stop();
  for (const [name, value] of vault()) remember(name, value);

  const answers = proxy.answers.map(({ method, path, text: content }) => ({
    where: `${method} ${path.replaceAll(/[^/]{60,}/g, '*')}`,
    content,
  }));
  const finds = hunt(secrets, [...answers, ...received, ...printed, ...filesIn(stateDir, [VAULT])]);

  const isShown = ({ where }: { where: string }) => SHOWING.some((it) => it.test(where));
  expect(finds.filter((it) => !isShown(it))).toEqual([]);
  // What the platform has made was shown, so the hunt would have found it elsewhere, too.
  const shown = new Set(finds.filter(isShown).map(({ secret }) => secret));
  expect([...shown].toSorted()).toEqual(endpoints.shown.concat(KEYS).toSorted());
  expect(received.length).toBeGreaterThan(0);
});

const KEYS = ['the first key of a tenant', 'a key', 'a rotated key', 'a revoked key'];

async function makeKeys(api: ApiClient): Promise<string[]> {
  const once = { 'idempotency-key': randomUUID() };
  const body = { name: 'Checkout', scopes: ['*'] };
  const made = await api.post('/v1/keys', body, once);
  const replayed = await api.post('/v1/keys', body, once);
  expect([made.status, replayed.status, replayed.body.key]).toEqual([201, 201, undefined]);
  const rotated = await api.post(`/v1/keys/${made.body.id}/rotate`, { overlapSeconds: 60 });
  const revoked = await api.post('/v1/keys', { name: 'Old', scopes: ['keys:read'] });
  await api.send(`/v1/keys/${revoked.body.id}`, { method: 'DELETE' });
  return [
    remember('a key', made.body.key),
    remember('a rotated key', rotated.body.key),
    remember('a revoked key', revoked.body.key),
  ];
}

interface Endpoints {
  readonly good: string;
  readonly bad: string;
  readonly secrets: readonly string[];
  /** The names of those that the API has to show. */
  readonly shown: readonly string[];
}

async function makeEndpoints(api: ApiClient): Promise<Endpoints> {
  const retry = { maxAttempts: 2, schedule: [0.01] };
  const own = () => `whsec_${randomBytes(32).toString('base64')}`;
  const token = `T-${randomBytes(24).toString('base64url')}`;
  const headers = { authorization: `Bearer ${token}`, 'x-tenant': 'acme' };
  const url = `${receiverUrl}/good`;
  const first = { 'idempotency-key': randomUUID() };
  const good = await api.post('/v1/endpoints', { url, retry, headers }, first);
  const replayed = await api.post('/v1/endpoints', { url, retry, headers }, first);
  expect([good.status, replayed.status, replayed.body.secret]).toEqual([201, 201, undefined]);
  const bad = await api.post('/v1/endpoints', {
    url: `${receiverUrl}/bad`,
    ...{ retry, headers, secret: remember('an own secret', own()) },
  });
  expect(bad.status).toBe(201);
  const rotations = `/v1/endpoints/${good.body.id}/secret/rotate`;
  const rotated = await api.post(rotations, { graceSeconds: 3_600 });
  const last = remember('an own later secret', own());
  expect((await api.post(rotations, { secret: last })).status).toBe(200);
  const made = remember('a made secret', good.body.secret);
  const later = remember('a rotated secret', rotated.body.secret);
  return {
    good: String(good.body.id),
    bad: String(bad.body.id),
    secrets: [made, later, last, remember('a header', token)],
    shown: ['a made secret', 'a rotated secret', 'an own later secret', 'an own secret'],
  };
}

/** Deliveries that succeed, fail and are used up, those of a file among them. */
async function moveMoney(api: ApiClient, { good, bad }: Endpoints): Promise<void> {
  await newAccount(api, '1000');
  await api.post('/v1/events', { type: 'order.paid', data: { order: 1 } });
  const files = await Promise.all(
    [good, bad].map((endpointId) =>
      uploadFile(api, { content: 'user_id\nuser-1\nuser-2\n', endpointId }),
    ),
  );
  await Promise.all(files.map(({ id }) => settledFile(api, id)));
  await until(
    () => api.get<{ data: Body[] }>('/v1/deliveries?status=exhausted'),
    ({ body }) => body.data.length >= 4,
  );
}

/** Where a secret goes by mistake: each request is refused, or answered as if it were not there. */
async function putInOddPlaces(api: ApiClient, { good }: Endpoints, secret: string): Promise<void> {
  const anywhere = encodeURIComponent(secret);
  const stranger = apiClient(proxy.url, 'th_live_nobody');
  for (const path of [
    `/v1/accounts/${anywhere}`,
    `/v1/endpoints/${anywhere}/secret`,
    `/v1/${anywhere}/accounts`,
    `/${anywhere}`,
    `/v1/accounts?key=${anywhere}`,
    `/v1/accounts?cursor=${anywhere}`,
    `/v1/accounts?limit=${anywhere}`,
    `/v1/deliveries?status=${anywhere}`,
    `/health?token=${anywhere}`,
  ]) {
    await Promise.all([api.get(path), stranger.get(path)]);
  }
  for (const headers of [
    { authorization: `Basic ${Buffer.from(`${secret}:`).toString('base64')}` },
    { authorization: `Token ${secret}` },
    { authorization: secret },
    { authorization: `Bearer ${secret}x` },
    { 'x-api-key': secret, cookie: `key=${secret}` },
    { 'x-request-id': `${secret}-${secret}` },
    { traceparent: secret },
    { 'idempotency-key': secret },
    { 'idempotency-key': `${secret} ${secret}` },
    { 'content-type': secret },
  ]) {
    await api.post('/v1/accounts', { currency: 'EUR' }, headers);
    await api.post('/v1/events', { type: 'order.paid', data: 1 }, headers);
  }
  await putInBodies(api, secret);
  await putInChanges(api, good, secret);
}

/** Changes of an endpoint that are refused, or answered without what they were about. */
async function putInChanges(api: ApiClient, endpointId: string, secret: string): Promise<void> {
  const path = `/v1/endpoints/${endpointId}`;
  const patch = (body: object) =>
    api.send(path, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const refused = await Promise.all([
    patch({ url: `https://user:${encodeURIComponent(secret)}@example.com/` }),
    patch({ secret }),
    patch({ status: secret }),
    patch({ headers: { 'webhook-signature': secret } }),
    patch({ headers: { 'x-a': `${secret}\n` } }),
    api.post(`${path}/secret/rotate`, { graceSeconds: secret }),
    api.post(`${path}/secret/rotate`, { secret: secret.replace('whsec_', 'whsec-') }),
  ]);
  expect(refused.map(({ status }) => status)).toEqual(refused.map(() => 422));
  expect((await patch({ headers: { 'x-secret': secret } })).status).toBe(200);
}

async function putInBodies(api: ApiClient, secret: string): Promise<void> {
  const bodies: readonly (readonly [path: string, body: object])[] = [
    ['/v1/accounts', { currency: secret }],
    ['/v1/transactions', { type: secret, accountId: secret, amount: secret, currency: secret }],
    ['/v1/transactions', { type: 'debit', accountId: secret, amount: '1', currency: 'EUR' }],
    ['/v1/events', { type: secret, data: 1 }],
    ['/v1/keys', { name: 'x', scopes: [secret] }],
    ['/v1/endpoints', { url: secret }],
    ['/v1/endpoints', { url: `https://user:${encodeURIComponent(secret)}@example.com/` }],
    ['/v1/endpoints', { url: receiverUrl, secret: secret.replace('whsec_', 'whsec-') }],
    ['/v1/endpoints', { url: receiverUrl, eventTypes: [secret] }],
    ['/v1/endpoints', { url: receiverUrl, headers: { 'content-type': secret } }],
    ['/v1/endpoints', { url: receiverUrl, headers: { 'x-y': `${secret}\n` } }],
  ];
  for (const [path, body] of bodies) {
    const { status } = await api.post(path, body);
    expect([400, 404, 422], `${path} ${Object.keys(body)}`).toContain(status);
  }
  const raw = { 'content-type': 'application/json' };
  for (const body of [`{"currency":"${secret}`, `key=${secret}`, secret, ' '.repeat(257 * 1_024)]) {
    await api.send('/v1/accounts', { method: 'POST', headers: raw, body: body + secret });
    await api.send('/v1/keys', { method: 'PUT', headers: raw, body: body + secret });
  }
}

async function readEverything(api: ApiClient, { good, bad }: Endpoints): Promise<void> {
  for (const path of [
    '/v1/tenant',
    '/v1/keys',
    '/v1/accounts?limit=1',
    '/v1/transactions',
    '/v1/files',
    '/v1/endpoints',
    ...[good, bad].flatMap((id) => [
      `/v1/endpoints/${id}`,
      `/v1/endpoints/${id}/secret`,
      `/v1/deliveries?endpointId=${id}&limit=100`,
    ]),
    '/openapi.json',
  ]) {
    expect((await api.get(path)).status, path).toBe(200);
  }
  const admin = apiClient(proxy.url, cloud.adminKey);
  expect((await admin.get('/v1/tenants')).status).toBe(200);
}

/** By the command, whose output is evidence as well. No function works with the key by now. */
async function rotateMasterKey(): Promise<Evidence[]> {
  const { dynamodb, secrets: url } = cloud.endpoints;
  const flags = ['--wait', '0', '--dynamodb', dynamodb, '--secrets', url];
  const command = ['bin/ops.ts', 'rotate', 'master-key', ...flags];
  const { stdout, stderr } = await promisify(execFile)('node', command);
  expect(stdout).toContain('all have version 2');
  return [{ where: 'the output of npm run ops -- rotate', content: stdout + stderr }];
}

/** The admin key, the key of cursors, and each version of the master key. */
function* vault(): Generator<readonly [name: string, value: string]> {
  const values: Record<string, string> = JSON.parse(readFileSync(join(stateDir, VAULT), 'utf8'));
  for (const [name, value] of Object.entries(values)) {
    if (!value.startsWith('{')) yield [name, value];
    else yield* Object.entries(JSON.parse(value).keys as Record<string, string>);
  }
}

import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiCaller, apiCaller } from '../../bin/ops/api-caller.ts';
import { asTenant } from '../../bin/ops/as-tenant.ts';
import { type LocalCloud, startLocalCloud } from '../../local/local-cloud.ts';
import { type ApiClient, newTenantOf } from '../support/api.ts';
import { startRecordingProxy } from '../support/recording-proxy.ts';
import { newStateDir } from '../support/state-dir.ts';

let stateDir: string;
let cloud: LocalCloud;
let api: ApiClient;
let tenantId: string;
beforeAll(async () => {
  stateDir = await newStateDir('ops-key');
  cloud = await startLocalCloud({ stateDir });
  ({ api, tenantId } = await newTenantOf(cloud.apiUrl, cloud.adminKey));
});
afterAll(async () => {
  await cloud?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

describe('the key of a tenant that is made for a command', () => {
  const LIVES_MS = 15 * 60_000;

  /** What is done with it, at a desk whose clock stands still until it is set. */
  async function byKey<Result>(
    work: (caller: ApiCaller, clock: { nowMs: number }) => Promise<Result>,
    url = cloud.apiUrl,
  ) {
    const notes: string[] = [];
    const time = { nowMs: Date.now() };
    const at = { admin: async () => apiCaller(url, cloud.adminKey) };
    const clock = { nowMs: () => time.nowMs };
    const desk = { at, clock, note: (line: string) => void notes.push(line) };
    const order = { tenantId, scopes: ['keys:read'], name: 'a command of a test' };
    const result = await asTenant(desk, order, (caller) => work(caller, time));
    return { result, notes };
  }
  type Keys = { data: { id: string; name: string; status: string; expiresAt: string }[] };
  const keysOf = async () =>
    (await api.get<Keys>('/v1/keys?limit=100')).body.data.filter(
      ({ name }) => name === 'a command of a test',
    );

  it('ends by itself after a quarter of an hour, is renewed before, and revoked', async () => {
    const { result, notes } = await byKey(async (caller, time) => {
      const [first] = await keysOf();
      expect(Date.parse(first?.expiresAt ?? '') - time.nowMs).toBe(LIVES_MS);
      time.nowMs += 11 * 60_000;
      await caller.call('GET', '/v1/keys');
      return (await keysOf()).map(({ status }) => status);
    });
    expect(result.toSorted()).toEqual(['active', 'revoked']);
    expect(notes).toEqual([]);
    expect((await keysOf()).map(({ status }) => status)).toEqual(['revoked', 'revoked']);
  });

  it('is told of when it could not be revoked, and the result stands', async () => {
    const told = /^the key key_\w+ of ten_\w+ is not revoked \(.+\): it ends by itself at \S+Z$/;
    const refused = await byKey(async (caller) => {
      const own = (await keysOf()).find(({ status }) => status === 'active');
      await caller.call('DELETE', `/v1/keys/${own?.id}`);
      return 'done';
    });
    expect(refused).toEqual({ result: 'done', notes: [expect.stringMatching(told)] });

    const proxy = await startRecordingProxy(cloud.apiUrl);
    const unheard = await byKey(() => proxy.close().then(() => 'done'), proxy.url);
    expect(unheard).toEqual({ result: 'done', notes: [expect.stringMatching(told)] });
  });
});

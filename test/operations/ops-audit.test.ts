import { createServer, type Server } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { apiCaller } from '../../bin/ops/api-caller.ts';
import { audit } from '../../bin/ops/audit.ts';
import { readFlags } from '../../bin/ops/command.ts';
import type { Installation } from '../../bin/ops/installation.ts';
import { closeServer } from '../../local/engines/engine.ts';
import { listenExactly } from '../../local/http/listen.ts';

let server: Server | undefined;
afterEach(async () => {
  if (server) await closeServer(server);
});

type Reply = readonly [status: number, body: object];

/** An API that answers each call with the next of its replies, and goes on with the last. */
async function answering(replies: Readonly<Record<string, readonly Reply[]>>) {
  const left = new Map(Object.entries(replies).map(([call, them]) => [call, [...them]]));
  const opened = createServer(({ method, url }, response) => {
    const them = left.get(`${method} ${url}`) ?? [];
    const [status, body] = (them.length > 1 ? them.shift() : them[0]) ?? [404, {}];
    response.writeHead(status).end(JSON.stringify(body));
  });
  server = opened;
  return apiCaller(`http://127.0.0.1:${await listenExactly(opened, 0)}`, 'key');
}

const KEY = {
  'POST /v1/tenants/ten_1/keys': [[201, { id: 'key_1', key: 'k' }]],
  'DELETE /v1/keys/key_1': [[200, {}]],
} as const;
const CONFLICT = 'aud_NEW is running. Wait for its end: there is one at a time.';
const UNAVAILABLE: Reply = [503, { code: 'unavailable', detail: 'The database did not answer.' }];

function auditOf(id: string, status: string): Reply {
  const counts = { checked: { entries: 1 }, violations: { L3: 1 }, offenders: [], undecided: 0 };
  return [200, { id, status, createdAt: '2026-11-22T10:00:00.000Z', ...counts }];
}

const notes: string[] = [];

async function run(
  replies: Readonly<Record<string, readonly Reply[]>>,
  ...args: readonly string[]
) {
  const admin = await answering({ ...KEY, ...replies });
  const printed: string[] = [];
  notes.splice(0);
  let nowMs = 0;
  const at = { admin: async () => admin } as Partial<Installation> as Installation;
  const ended = await audit.run(readFlags(audit, [...args, '--tenant', 'ten_1']), {
    at,
    print: (line) => printed.push(line),
    note: (line) => notes.push(line),
    sleep: async (ms) => {
      nowMs += ms;
    },
    clock: { nowMs: () => nowMs },
  });
  return { ended, first: printed[0] };
}

it('joins the audit that runs, and not the newest on a list that is behind', async () => {
  const result = await run({
    'POST /v1/audit': [[409, { code: 'conflict', detail: CONFLICT }]],
    'GET /v1/audit?limit=1': [[200, { data: [auditOf('aud_OLD', 'clean')[1]] }]],
    'GET /v1/audit/aud_NEW': [auditOf('aud_NEW', 'running'), auditOf('aud_NEW', 'violated')],
  });
  const first = 'aud_NEW of 2026-11-22T10:00:00.000Z is violated';
  expect(result).toEqual({ ended: 'person', first });
});

it('goes on waiting when the API has not answered some times', async () => {
  const answers = [UNAVAILABLE, auditOf('aud_1', 'running'), UNAVAILABLE, UNAVAILABLE];
  const result = await run({
    'POST /v1/audit': [auditOf('aud_1', 'running')],
    'GET /v1/audit/aud_1': [...answers, auditOf('aud_1', 'clean')],
  });
  expect(result).toEqual({ ended: 'done', first: 'aud_1 of 2026-11-22T10:00:00.000Z is clean' });
});

it('gives up when the API answers no more, and says how to look again', async () => {
  const ended = run({
    'POST /v1/audit': [auditOf('aud_1', 'running')],
    'GET /v1/audit/aud_1': [UNAVAILABLE],
  });
  await expect(ended).rejects.toThrow(
    /^aud_1 goes on by itself, .+The database did not answer\.\): .+ audit aud_1 --tenant ten_1$/,
  );
  expect(notes[0]).toBe('aud_1 has begun, and goes on without this command');
  expect(notes.some((it) => /^aud_1: no answer for the 10th time \(.+\) …$/.test(it))).toBe(true);
});

it('is patient for as long as a deployment takes', async () => {
  const silence = Array.from({ length: 100 }, () => UNAVAILABLE);
  const result = await run({
    'POST /v1/audit': [auditOf('aud_1', 'running')],
    'GET /v1/audit/aud_1': [...silence, auditOf('aud_1', 'clean')],
  });
  expect(result.ended).toBe('done');
});

describe('an audit by its id', () => {
  it('is waited for, and none is begun', async () => {
    const answers = [auditOf('aud_1', 'running'), auditOf('aud_1', 'violated')];
    const result = await run({ 'GET /v1/audit/aud_1': answers }, 'aud_1');
    const first = 'aud_1 of 2026-11-22T10:00:00.000Z is violated';
    expect(result).toEqual({ ended: 'person', first });
  });

  it('is shown as it is by a dry run', async () => {
    const answers = [auditOf('aud_1', 'running')];
    const result = await run({ 'GET /v1/audit/aud_1': answers }, 'aud_1', '--dry-run');
    expect(result.first).toBe('aud_1 of 2026-11-22T10:00:00.000Z is running');
  });

  it('is refused at once where there is none', async () => {
    const gone: Reply = [404, { code: 'not_found', detail: 'There is no such object.' }];
    const replies = [gone, auditOf('aud_1', 'clean')];
    await expect(run({ 'GET /v1/audit/aud_1': replies }, 'aud_1')).rejects.toThrow('not_found');
  });

  it.each([400, 401, 403])('is refused at once where the API says %i', async (status) => {
    const refusal: Reply = [status, { code: 'refused', detail: 'No.' }];
    const replies = [refusal, auditOf('aud_1', 'clean')];
    await expect(run({ 'GET /v1/audit/aud_1': replies }, 'aud_1')).rejects.toThrow('refused: No.');
  });

  it('is waited for where there were too many requests', async () => {
    const replies: Reply[] = [[429, { code: 'rate_limited' }], auditOf('aud_1', 'clean')];
    expect((await run({ 'GET /v1/audit/aud_1': replies }, 'aud_1')).ended).toBe('done');
  });

  it('is none of a repair', async () => {
    await expect(run({}, 'aud_1', '--repair')).rejects.toThrow('--repair is of no audit');
  });
});

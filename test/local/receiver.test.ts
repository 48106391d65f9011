import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { formatSecret, signWebhook } from '../../functions/webhooks/signature.ts';
import { openRateGate } from '../../local/receiver/rate-gate.ts';
import { type ReceiverOptions, startReceiver } from '../../local/receiver/server.ts';
import { until } from '../support/until.ts';

const secret = formatSecret(new Uint8Array(32));
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function start(options: ReceiverOptions = {}) {
  const receiver = await startReceiver(options);
  closing.push(receiver.close);
  return receiver;
}

interface Draft {
  readonly id?: string;
  readonly data?: unknown;
  readonly key?: string;
}

async function send(url: string, { id = 'evt_1', data = {}, key = secret }: Draft = {}) {
  const body = Buffer.from(JSON.stringify({ id, type: 'alert', data }));
  const timestampSeconds = Math.floor(Date.now() / 1_000);
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(timestampSeconds),
    'webhook-signature': signWebhook([key], { id, timestampSeconds, body }),
    'webhook-attempt': '3',
  };
  const response = await fetch(url, { method: 'POST', headers, body });
  return { status: response.status, retryAfter: response.headers.get('retry-after') };
}

const statusOf = async (url: string, draft?: Draft) => (await send(url, draft)).status;

describe('the rate gate', () => {
  it.each([
    [0.5, [0, 1_999, 2_000, 3_000, 4_000], [0, 1, 0, 1_000, 0]],
    [1, [0, 0, 999, 1_000], [0, 1_000, 1, 0]],
    [2, [0, 0, 0, 500, 500], [0, 0, 500, 0, 500]],
    [0, [0, 0, 0], [0, 0, 0]],
  ])('of %d per second makes requests at %j wait %j', (perSecond, times, waits) => {
    const gate = openRateGate(perSecond);
    expect(times.map((ms) => gate.waitMs(1_000_000 + ms))).toEqual(waits);
  });

  it('gives nothing back for requests that it refused', () => {
    const gate = openRateGate(1);
    expect([1e6, 1e6, 1e6, 1e6 + 1_000].map((ms) => gate.waitMs(ms) > 0)).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });
});

describe('a receiver', () => {
  it('keeps what it received, byte for byte', async () => {
    const { url, received } = await start();
    await send(url, { data: { text: 'ключ' } });
    expect(received).toMatchObject([
      { nth: 1, id: 'evt_1', attempt: 3, answer: { status: 200 }, duplicate: false },
    ]);
    expect(received[0]?.body.toString()).toBe(
      '{"id":"evt_1","type":"alert","data":{"text":"ключ"}}',
    );
  });

  it('refuses what its secret does not fit, from the moment that it has one', async () => {
    const receiver = await start();
    const other = formatSecret(new Uint8Array(32).fill(1));
    expect(await statusOf(receiver.url, { key: other })).toBe(200);
    receiver.trust(secret);
    expect(await statusOf(receiver.url, { key: other })).toBe(401);
    expect(await statusOf(receiver.url)).toBe(200);
    expect(receiver.received.map((it) => it.verdict)).toEqual([
      undefined,
      'bad_signature',
      'valid',
    ]);
  });

  it('limits its rate, and says when to come again', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const { url } = await start({ perSecond: 0.5 });
    expect(await send(url)).toEqual({ status: 200, retryAfter: null });
    expect(await send(url)).toEqual({ status: 429, retryAfter: '2' });
  });

  it('fails the next so many, and then no more', async () => {
    const receiver = await start({ failNext: 2 });
    const statuses = async () => [await statusOf(receiver.url), await statusOf(receiver.url)];
    expect(await statuses()).toEqual([500, 500]);
    expect(await statuses()).toEqual([200, 200]);
    receiver.behave({ failNext: 1 });
    expect(await statuses()).toEqual([500, 200]);
  });

  it('fails a share of them', async () => {
    expect(await statusOf((await start({ failShare: 1 })).url)).toBe(500);
    expect(await statusOf((await start({ failShare: 0 })).url)).toBe(200);
  });

  it('cuts the connection, or says nothing at all', async () => {
    const receiver = await start({ resetNext: 1 });
    await expect(send(receiver.url)).rejects.toThrow();
    receiver.behave({ hangNext: 1 });
    const hanging = expect(send(receiver.url)).rejects.toThrow();
    await until(
      () => receiver.received.length,
      (count) => count === 2,
    );
    await receiver.close();
    await hanging;
  });

  it('can be told what to answer to each', async () => {
    const receiver = await start();
    receiver.behave({ decide: ({ id }) => (id === 'evt_2' ? { status: 410 } : undefined) });
    expect(await statusOf(receiver.url, { id: 'evt_1' })).toBe(200);
    expect(await statusOf(receiver.url, { id: 'evt_2' })).toBe(410);
  });

  it('calls a webhook a duplicate once its id was answered with 2xx', async () => {
    const { url, received, accepted } = await start({ failNext: 1 });
    for (const id of ['evt_1', 'evt_1', 'evt_1', 'evt_2']) await send(url, { id });
    expect(received.map((it) => it.duplicate)).toEqual([false, false, true, false]);
    expect(accepted()).toBe(2);
  });

  it('takes nothing but POST', async () => {
    const { url } = await start();
    expect((await fetch(url)).status).toBe(405);
  });
});

describe('the command', () => {
  async function run(...args: string[]) {
    const child = spawn(process.execPath, ['local/receiver.ts', '--port', '0', ...args]);
    closing.push(async () => child.kill('SIGKILL'));
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk;
      });
    }
    const ended = once(child, 'close');
    return { child, ended, output: () => output };
  }

  const urlIn = (output: string) => /http:\S+/.exec(output)?.[0];

  it('prints a line per webhook, writes the users to a file, and ends with totals', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tallyhook-receiver-'));
    const out = join(folder, 'out.csv');
    const flags = ['--per-second', '0', '--secret', secret, '--fail-first', '1', '--out', out];
    const { child, ended, output } = await run(...flags);
    const url = (await until(() => urlIn(output()), Boolean)) ?? '';
    const data = { userId: '7', message: 'Hello, "you"\u0007' };
    for (const id of ['evt_1', 'evt_1', 'evt_1']) await send(url, { id, data });
    await send(url, { id: 'evt_2', key: formatSecret(new Uint8Array(24).fill(1)) });
    child.kill('SIGINT');
    const [code] = await ended;

    expect(code).toBe(0);
    const lines = output().split('\n');
    expect(lines[1]).toMatch(/^[\d:.]{12} {2}500 +evt_1 +#3 +alert +7 +Hello, "you"$/);
    expect(lines[2]).toMatch(/ 200 +evt_1 /);
    expect(lines[3]).toMatch(/ 200 +evt_1 .*duplicate$/);
    expect(lines[4]).toMatch(/ 401 +evt_2 .*bad signature$/);
    expect(lines.at(-2)).toBe('4 received (2 × 200, 1 × 401, 1 × 500), 2 ids, 1 duplicates');
    expect(readFileSync(out, 'utf8')).toBe('7,"Hello, ""you""\u0007"\n');
    rmSync(folder, { recursive: true });
  });

  it('takes one request in two seconds unless told otherwise', async () => {
    const { output } = await run();
    expect(await until(output, (text) => text.includes('\n'))).toContain('0.5 per second');
  });

  it.each([
    [['--secret', 'whsec_short'], '--secret'],
    [['--per-second', '-1'], '--per-second must be a number from 0 to 100000'],
    [['--out', '/nonexistent/x'], '--out /nonexistent/x cannot be written (ENOENT)'],
    [['--out', ''], '--out  cannot be written (ENOENT)'],
    [['--fail-share', '1.1'], '--fail-share'],
    [['--what'], '--what'],
  ])('refuses %j with one line', async (flags, name) => {
    const { ended, output } = await run(...flags);
    expect((await ended)[0]).toBe(1);
    expect(output()).toMatch(/^.+\n$/);
    expect(output()).toContain(name);
  });

  it('says that its port is taken', async () => {
    const { port } = await start();
    const { ended, output } = await run('--port', String(port));
    expect((await ended)[0]).toBe(1);
    expect(output()).toBe('the port is taken: choose another one with --port\n');
  });
});

import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Body, newTenantOf, type TestTenant } from '../support/api.ts';
import {
  type ExampleReceiver,
  LANGUAGES,
  type Language,
  startExample,
  versionOf,
} from '../support/example-receivers.ts';
import { tenantWithReceiver } from '../support/tenant-with-receiver.ts';
import { until } from '../support/until.ts';

const { apiUrl, adminKey } = inject('cloud');
const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`;
const EVENTS = 200;
const MIB = 1_048_576;
/** A schedule that a test can wait for. */
const QUICK = { maxAttempts: 30, schedule: [1] };

/** A receiver closes what it keeps after some seconds, perhaps just when it is used again. */
const ALONE = { connection: 'close' };

interface Making {
  readonly secret: string;
  readonly id?: string;
  readonly atMs?: number;
}

/** A webhook as the reference library of Standard Webhooks signs it. */
function signed({ secret, id = `msg_${randomUUID()}`, atMs = Date.now() }: Making) {
  const at = new Date(atMs);
  const body = JSON.stringify({ id, type: 'made.by.hand', timestamp: at, data: {} });
  const headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(atMs / 1_000)),
    'webhook-signature': new Webhook(secret).sign(id, at, body),
  };
  return { id, body, headers };
}

type Signed = ReturnType<typeof signed>;

for (const language of LANGUAGES) {
  const version = versionOf(language);
  if (version) describe(`the receiver in ${language.name}`, () => tryReceiver(language));
  else sayThatNotTried(language);
}

/** A test of its own, so that it can be read in every report which of them was left out. */
function sayThatNotTried({ name, probe: [command] }: Language): void {
  console.warn(`NOT TRIED: the receiver in ${name}, because ${command} is not installed here`);
  it(`the receiver in ${name} is NOT TRIED: ${command} is not installed here`, () => {
    expect(name).not.toBe('Node');
  });
}

function tryReceiver(language: Language): void {
  const secret = newSecret();
  let dir: string;
  let command: readonly [string, ...string[]];
  let receiver: ExampleReceiver;
  let tenant: TestTenant;
  let endpointId: string;

  const start = (secrets = secret) =>
    startExample(command, { WEBHOOK_SECRET: secrets, INBOX: join(dir, 'inbox') });
  const post = async ({ headers, body }: Pick<Signed, 'headers' | 'body'>) =>
    (await fetch(receiver.url, { method: 'POST', headers: { ...headers, ...ALONE }, body })).status;
  const register = (url: string) =>
    tenant.api.post<{ id: string }>('/v1/endpoints', { url, secret, retry: QUICK });
  /** Stopped, and started anew with other secrets, where the endpoint then finds it. */
  const restart = async (secrets: string) => {
    await receiver.stop();
    receiver = await start(secrets);
    const { status } = await tenant.api.send(`/v1/endpoints/${endpointId}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ url: receiver.url }),
    });
    expect(status).toBe(200);
  };
  const rotate = async (graceSeconds: number) => {
    const path = `/v1/endpoints/${endpointId}/secret/rotate`;
    return String((await tenant.api.post(path, { graceSeconds })).body.secret);
  };

  /**
   * Sends it and one more, and answers the id of that. When that is worked the one before it is
   * marked as done; that itself may not be yet, and come again after a crash.
   */
  const workAndMark = async (webhook: Signed) => {
    const next = signed({ secret });
    expect([await post(webhook), await post(next)]).toEqual([202, 202]);
    await until(
      () => receiver.worked,
      (it) => it.includes(next.id),
    );
    return next.id;
  };

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tallyhook-example-'));
    command = await language.prepare(dir);
    receiver = await start();
    tenant = await newTenantOf(apiUrl, adminKey);
    endpointId = (await register(receiver.url)).body.id;
  });
  afterAll(async () => {
    await receiver?.kill();
    await rm(dir, { recursive: true, force: true });
  });

  it(`takes ${EVENTS} deliveries, and works each event once`, async () => {
    const ids = await sendEvents(tenant, EVENTS);

    await until(
      () => receiver.worked.length,
      (it) => it >= EVENTS,
    );
    expect(receiver.worked.toSorted()).toEqual(ids.toSorted());
    const statuses = await until(
      () => statusesOf(tenant, endpointId),
      (it) => it.every((status) => status === 'delivered'),
    );
    expect(statuses).toHaveLength(EVENTS);
  });

  it('takes what the library signs, and works a repetition no second time', async () => {
    const webhook = signed({ secret });
    const later = signed({ secret });

    expect([await post(webhook), await post(webhook), await post(later)]).toEqual([202, 202, 202]);
    await until(
      () => receiver.worked,
      (it) => it.includes(later.id),
    );
    expect(receiver.worked.filter((it) => it === webhook.id)).toHaveLength(1);
  });

  it('takes one right signature among several', async () => {
    const webhook = signed({ secret });
    const right = webhook.headers['webhook-signature'];
    const wrong = signed({ secret: newSecret() }).headers['webhook-signature'];
    const withSignatures = (...signatures: string[]) =>
      post({
        ...webhook,
        headers: { ...webhook.headers, 'webhook-signature': signatures.join(' ') },
      });

    expect(await withSignatures(wrong, right)).toBe(202);
    expect(await withSignatures(wrong, right.replace('v1,', 'v1a,'))).toBe(401);
    expect(await withSignatures(`${right}x`)).toBe(401);
    expect(await withSignatures(right.slice(0, -2))).toBe(401);
  });

  it.each<[string, (webhook: Signed) => Partial<Signed>]>([
    ['signed by another secret', ({ id }) => signed({ id, secret: newSecret() })],
    ['from six minutes ago', ({ id }) => signed({ id, secret, atMs: Date.now() - 360_000 })],
    ['from in six minutes', ({ id }) => signed({ id, secret, atMs: Date.now() + 360_000 })],
    ['with another body', ({ body }) => ({ body: body.replace('hand', 'foot') })],
    ['with another id', ({ headers }) => ({ headers: { ...headers, 'webhook-id': 'msg_other' } })],
    ['without a signature', ({ headers }) => ({ headers: without(headers, 'signature') })],
    ['without an id', ({ headers }) => ({ headers: without(headers, 'id') })],
    ['without a timestamp', ({ headers }) => ({ headers: without(headers, 'timestamp') })],
    [
      'with a timestamp that is none',
      ({ headers }) => ({ headers: { ...headers, 'webhook-timestamp': 'now' } }),
    ],
  ])('refuses a webhook %s', async (_what, change) => {
    const webhook = signed({ secret });
    const last = signed({ secret });

    expect(await post({ ...webhook, ...change(webhook) })).toBe(401);
    expect(await post(last)).toBe(202);
    await until(
      () => receiver.worked,
      (it) => it.includes(last.id),
    );
    expect(receiver.worked).not.toContain(webhook.id);
  });

  it('refuses what is no webhook at all, and stays', async () => {
    const announced = await announceBody(receiver.url, MIB + 1);
    const get = await fetch(receiver.url);

    expect(announced).toBe(413);
    expect([405, 501]).toContain(get.status);
    expect(await post(signed({ secret }))).toBe(202);
  });

  it('remembers over a crash and over a stop what it has taken', async () => {
    const webhooks = Array.from({ length: 3 }, () => signed({ secret }));
    const [first, second, third] = webhooks as [Signed, Signed, Signed];
    let last = await workAndMark(first);

    await receiver.kill();
    receiver = await start();
    expect(await post(first)).toBe(202);
    let next = await workAndMark(second);
    expect(receiver.worked.filter((it) => it !== last)).toEqual([second.id, next]);

    expect(await receiver.stop()).toBe(0);
    receiver = await start();
    last = next;
    expect(await post(second)).toBe(202);
    next = await workAndMark(third);
    expect(receiver.worked.filter((it) => it !== last)).toEqual([third.id, next]);
  });

  it('stops in order from the moment in which it is ready', async () => {
    for (let nth = 0; nth < 5; nth += 1) {
      expect(await receiver.stop()).toBe(0);
      receiver = await start();
    }
  });

  it('moves from one secret to another by knowing both for a while', async () => {
    const [old, other] = [signed({ secret }), newSecret()];
    await receiver.stop();
    receiver = await start(`${secret} ${other}`);
    expect([await post(old), await post(signed({ secret: other }))]).toEqual([202, 202]);

    await receiver.stop();
    receiver = await start(other);
    expect([await post(old), await post(signed({ secret: other }))]).toEqual([401, 202]);
  });

  it('misses nothing while the secret of its endpoint changes', async () => {
    await restart(secret);
    const second = await rotate(3_600);
    const [early] = await sendEvents(tenant, 1);
    await until(
      () => receiver.worked,
      (it) => it.includes(early ?? ''),
    );

    await restart(second);
    const [late] = await sendEvents(tenant, 1);
    await until(
      () => receiver.worked,
      (it) => it.includes(late ?? ''),
    );
  });

  it('refuses what is signed by a secret that it does not know, until it does', async () => {
    const third = await rotate(0);
    await restart(newSecret());
    const [id] = await sendEvents(tenant, 1);
    const attempts = async () => {
      const { body } = await tenant.api.get<{ data: { attempts: { status: number }[] }[] }>(
        `/v1/deliveries?eventId=${id}`,
      );
      return body.data.flatMap((it) => it.attempts.map(({ status }) => status));
    };
    await until(attempts, (it) => it.includes(401));
    const { body } = await tenant.api.get<{ data: Body[] }>(`/v1/deliveries?eventId=${id}`);
    await until(
      async () => JSON.stringify(await tenant.api.get(`/v1/deliveries/${body.data[0]?.id}`)),
      (it) => it.includes('no valid signature'),
    );
    expect(receiver.worked).not.toContain(id);

    await restart(third);
    await until(
      () => receiver.worked,
      (it) => it.includes(id ?? ''),
    );
    await until(attempts, (it) => it.at(-1) === 202);
  });

  it('does not start without a secret', async () => {
    await expect(start('')).rejects.toThrow('WEBHOOK_SECRET must be');
    await expect(start('letmein')).rejects.toThrow('WEBHOOK_SECRET must be');
  });
}

describe('the library of Standard Webhooks', () => {
  it('verifies what is delivered, byte for byte, and would sign it just so', async () => {
    const { api, receiver, secret } = await tenantWithReceiver({ apiUrl, adminKey });
    await api.post('/v1/events', { type: 'order.paid', data: { text: 'é ü 🙂 "quoted"' } });
    const [webhook] = await until(
      () => receiver.received,
      (it) => it.length > 0,
    );
    await receiver.close();
    if (!webhook) throw new Error('nothing came');

    const headers = webhook.headers as Record<string, string>;
    const library = new Webhook(secret);
    expect(library.verify(webhook.body, headers)).toMatchObject({ id: webhook.id });
    const at = new Date(Number(headers['webhook-timestamp']) * 1_000);
    expect(headers['webhook-signature']).toBe(library.sign(webhook.id, at, webhook.body));
    expect(() => new Webhook(newSecret()).verify(webhook.body, headers)).toThrow();
  });
});

/** Twenty at a time, so that they come close together. */
async function sendEvents({ api }: TestTenant, count: number): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) {
    const answers = await Promise.all(
      Array.from({ length: Math.min(20, count - ids.length) }, (_, n) =>
        api.post('/v1/events', { type: 'order.paid', data: { n } }),
      ),
    );
    ids.push(...answers.map(({ body }) => String(body.id)));
  }
  return ids;
}

async function statusesOf({ api }: TestTenant, endpointId: string): Promise<unknown[]> {
  const statuses: unknown[] = [];
  let cursor = '';
  do {
    const { body } = await api.get<{ data: Body[]; nextCursor?: string }>(
      `/v1/deliveries?endpointId=${endpointId}&limit=100${cursor}`,
    );
    statuses.push(...body.data.map(({ status }) => status));
    cursor = body.nextCursor === undefined ? '' : `&cursor=${body.nextCursor}`;
  } while (cursor !== '');
  return statuses;
}

function without(headers: Signed['headers'], name: string) {
  return { ...headers, [`webhook-${name}`]: '' };
}

/** The answer to a request that says how large its body would be, and sends none of it. */
async function announceBody(url: string, bytes: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: 'POST', headers: { 'content-length': bytes } });
    request.on('response', (response) => {
      resolve(response.statusCode);
      request.destroy();
    });
    request.on('error', reject);
    request.flushHeaders();
  });
}

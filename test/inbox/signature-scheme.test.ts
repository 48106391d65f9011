import { createHmac } from 'node:crypto';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Incoming, type Signing, verify } from '../../functions/inbox/signature-scheme.ts';

type Headers = Readonly<Record<string, string>>;

interface Vector {
  readonly signing: Signing;
  readonly secret: string;
  readonly body: string;
  readonly headers: Headers;
  /** Seconds since 1970 at which it comes; any where the scheme has no time. */
  readonly at?: number;
}

const NOW = 1_795_262_400;

/** By hand, so that the test does not lean on what it tests. */
function mac(key: string | Buffer, text: string, encoding: 'hex' | 'base64', algorithm = 'sha256') {
  return createHmac(algorithm, key).update(text).digest(encoding);
}

/** The examples that the senders' own documentation publishes. */
const PUBLISHED = {
  standard: {
    signing: { scheme: 'standard' },
    secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    body: '{"test": 2432232314}',
    at: 1_614_265_330,
    headers: {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    },
  },
  github: {
    signing: { scheme: 'github' },
    secret: "It's a Secret to Everybody",
    body: 'Hello, World!',
    headers: {
      'x-hub-signature-256':
        'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
    },
  },
  slack: {
    signing: { scheme: 'slack' },
    secret: '8f742231b10e8888abcd99yyyzzz85a5',
    body:
      'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&' +
      'channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&' +
      'command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands' +
      '%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&' +
      'trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
    at: 1_531_420_618,
    headers: {
      'x-slack-request-timestamp': '1531420618',
      'x-slack-signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
    },
  },
} as const satisfies Record<string, Vector>;

const STRIPE_BODY = '{"id":"evt_1","object":"event","type":"charge.succeeded"}';
const SHOPIFY_BODY = '{"id":820982911946154508,"email":"jon@example.com"}';

/** Made by the rules that the others publish without an example. */
const MADE = {
  stripe: {
    signing: { scheme: 'stripe' },
    secret: 'whsec_test_secret',
    body: STRIPE_BODY,
    headers: {
      'stripe-signature':
        `t=${NOW},v0=${'0'.repeat(64)},` +
        `v1=${mac('whsec_test_secret', `${NOW}.${STRIPE_BODY}`, 'hex')}`,
    },
  },
  shopify: {
    signing: { scheme: 'shopify' },
    secret: 'hush',
    body: SHOPIFY_BODY,
    headers: { 'x-shopify-hmac-sha256': mac('hush', SHOPIFY_BODY, 'base64') },
  },
  hmac: {
    signing: {
      scheme: 'hmac',
      hmac: { header: 'x-signature', algorithm: 'sha512', encoding: 'base64', prefix: 'sha512=' },
    },
    secret: 'pssst',
    body: 'ping',
    headers: { 'x-signature': `sha512=${mac('pssst', 'ping', 'base64', 'sha512')}` },
  },
} as const satisfies Record<string, Vector>;

const VECTORS: Readonly<Record<string, Vector>> = { ...PUBLISHED, ...MADE };

function judge({ signing, secret, body, headers, at = NOW }: Vector, secrets = [secret]) {
  const incoming: Incoming = { headers, body: Buffer.from(body), nowMs: at * 1_000 };
  return verify(signing, secrets, incoming);
}

describe.each(Object.entries(VECTORS))('the scheme %s', (_scheme, vector) => {
  const [name = ''] = Object.keys(vector.headers).filter((it) => /signature|hmac/.test(it));
  const given = vector.headers[name] ?? '';
  const withSignature = (text: string) =>
    judge({ ...vector, headers: { ...vector.headers, [name]: text } });

  it('takes what fits', () => {
    expect(judge(vector)).toBeDefined();
  });

  it('takes what fits one of several secrets, in any order', () => {
    expect(judge(vector, ['another', vector.secret])).toBeDefined();
    expect(judge(vector, [vector.secret, 'another'])).toBeDefined();
  });

  it.each<[string, () => unknown]>([
    ['another secret', () => judge(vector, ['another'])],
    ['no secret', () => judge(vector, [])],
    ['another body', () => judge({ ...vector, body: `${vector.body} ` })],
    ['an empty body', () => judge({ ...vector, body: '' })],
    ['no header', () => judge({ ...vector, headers: {} })],
    ['an empty signature', () => withSignature('')],
    ['a signature that is cut', () => withSignature(given.slice(0, -3))],
    ['a signature with more behind it', () => withSignature(`${given}0`)],
    ['one character that differs', () => withSignature(flipped(given))],
    ['no prefix', () => withSignature(given.replace(/^.*?=|^v1,/, 'x'))],
    ['capitals for small letters', () => withSignature(given.toUpperCase())],
  ])('refuses %s', (_what, outcome) => {
    expect(outcome()).toBeUndefined();
  });
});

/** With another character in the midst of the signature. */
function flipped(text: string): string {
  const at = text.length - 10;
  return text.slice(0, at) + (text[at] === '1' ? '2' : '1') + text.slice(at + 1);
}

describe('a time that is signed', () => {
  it.each(['standard', 'stripe', 'slack'])('%s: within 300 seconds, and no more', (scheme) => {
    const vector = VECTORS[scheme] as Vector;
    const { at = NOW } = vector;
    for (const seconds of [-300, 0, 300]) {
      expect(judge({ ...vector, at: at + seconds })).toMatchObject({ signedAtMs: at * 1_000 });
    }
    for (const seconds of [-301, 301])
      expect(judge({ ...vector, at: at + seconds })).toBeUndefined();
  });

  it.each([
    ['standard', 'webhook-timestamp'],
    ['slack', 'x-slack-request-timestamp'],
  ])('%s: in digits', (scheme, header) => {
    const vector = VECTORS[scheme] as Vector;
    for (const text of ['', 'now', '-1', '1e9', ' 1', '1.5', '9'.repeat(13)]) {
      const headers = { ...vector.headers, [header]: text };
      expect(judge({ ...vector, headers })).toBeUndefined();
    }
  });

  it('stripe: one only', () => {
    const { headers } = MADE.stripe;
    const twice = { 'stripe-signature': `t=1,${headers['stripe-signature']}` };
    expect(judge({ ...MADE.stripe, headers: twice })).toBeUndefined();
  });
});

describe('what a signature covers beside the body', () => {
  it.each([
    ['standard', 'msg_p5jXN8AQM9LWM0D4loKWxJek'],
    ['stripe', 'evt_1'],
    ['github', undefined],
    ['shopify', undefined],
    ['slack', undefined],
    ['hmac', undefined],
  ])('%s: the id %s', (scheme, signedId) => {
    expect(judge(VECTORS[scheme] as Vector)?.signedId).toBe(signedId);
  });

  it('slack: the id of an event, which a command has not', () => {
    const body = '{"type":"event_callback","event_id":"Ev123"}';
    const headers = {
      'x-slack-request-timestamp': String(NOW),
      'x-slack-signature': `v0=${mac('s', `v0:${NOW}:${body}`, 'hex')}`,
    };
    const verdict = judge({ signing: { scheme: 'slack' }, secret: 's', body, headers });
    expect(verdict).toEqual({ signedAtMs: NOW * 1_000, signedId: 'Ev123' });
  });

  it('of a body that is no JSON, or has no such text, nothing', () => {
    for (const body of ['', 'null', '[]', '{"id":7}', '{"id":""}', '"id"', '{']) {
      const headers = { 'stripe-signature': `t=${NOW},v1=${mac('s', `${NOW}.${body}`, 'hex')}` };
      const verdict = judge({ signing: { scheme: 'stripe' }, secret: 's', body, headers });
      expect(verdict).toEqual({ signedAtMs: NOW * 1_000, signedId: undefined });
    }
  });
});

it('takes one right signature among several, and passes over those of other versions', () => {
  const { headers } = PUBLISHED.standard;
  const right = headers['webhook-signature'];
  const wrong = `v1,${'A'.repeat(43)}=`;
  const withSignatures = (text: string) =>
    judge({ ...PUBLISHED.standard, headers: { ...headers, 'webhook-signature': text } });
  expect(withSignatures(`${wrong} ${right}`)).toBeDefined();
  expect(withSignatures(`v2,abc ${right}`)).toBeDefined();
  expect(withSignatures(right.replace('v1,', 'v1a,'))).toBeUndefined();
  expect(withSignatures(right.replace('v1,', 'v2,'))).toBeUndefined();
});

it('takes anything under the scheme none', () => {
  const vector = { signing: { scheme: 'none' }, secret: '', body: 'x', headers: {} } as const;
  expect(judge(vector, [])).toEqual({ signedAtMs: undefined, signedId: undefined });
});

it.each([MADE.stripe, PUBLISHED.slack])(
  'reads no body before its signature is good: %#',
  (vector) => {
    const parse = vi.spyOn(JSON, 'parse');
    onTestFinished(() => parse.mockRestore());
    expect(judge({ ...vector, body: `${vector.body} ` })).toBeUndefined();
    expect(parse).not.toHaveBeenCalled();
    expect(judge(vector)).toBeDefined();
    expect(parse).toHaveBeenCalledOnce();
  },
);

it('covers the exact bytes, also those that are not UTF-8', () => {
  const bytes = Buffer.from([0xff, 0x00, 0xfe]);
  const signature = createHmac('sha256', 's').update(bytes).digest('hex');
  const headers = { 'x-hub-signature-256': `sha256=${signature}` };
  expect(verify({ scheme: 'github' }, ['s'], { headers, body: bytes, nowMs: 0 })).toBeDefined();
  const read = Buffer.from(bytes.toString());
  expect(verify({ scheme: 'github' }, ['s'], { headers, body: read, nowMs: 0 })).toBeUndefined();
});

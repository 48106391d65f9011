import { Buffer } from 'node:buffer';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import {
  formatSecret,
  parseSecret,
  signWebhook,
  verifyWebhook,
} from '../../functions/webhooks/signature.ts';

const bytesOf = (length: number, fill = 7) => new Uint8Array(length).fill(fill);
const secret = formatSecret(bytesOf(32));
const other = formatSecret(bytesOf(32, 8));
const nowSeconds = 1_790_000_000;
const window = { nowSeconds, toleranceSeconds: 300 };
const utf8 = (text: string) => new TextEncoder().encode(text);

describe('a secret', () => {
  it.each([24, 25, 32, 63, 64])('of %i bytes survives being written and read', (length) => {
    expect(parseSecret(formatSecret(bytesOf(length)))).toEqual(Buffer.from(bytesOf(length)));
  });

  it.each([0, 1, 23, 65, 128])('of %i bytes is refused', (length) => {
    expect(() => formatSecret(bytesOf(length))).toThrow(RangeError);
    const text = `whsec_${Buffer.from(bytesOf(length)).toString('base64')}`;
    expect(parseSecret(text)).toBeUndefined();
  });

  const base64 = Buffer.from(bytesOf(25)).toString('base64');
  it.each([
    ['nothing', ''],
    ['only the prefix', 'whsec_'],
    ['no prefix', base64],
    ['another prefix', `whpk_${base64}`],
    ['a prefix in capitals', `WHSEC_${base64}`],
    ['missing padding', `whsec_${base64.replaceAll('=', '')}`],
    ['one more padding', `whsec_${base64}=`],
    ['stray bits in the last character', `whsec_${base64.replace(/.==$/, 'x==')}`],
    ['a blank in front', ` whsec_${base64}`],
    ['a line end', `whsec_${base64}\n`],
    ['a blank inside', `whsec_${base64.slice(0, 8)} ${base64.slice(8)}`],
    ['base64url', `whsec_${Buffer.from(bytesOf(32, 0xff)).toString('base64url')}`],
    ['hexadecimal', `whsec_${Buffer.from(bytesOf(24)).toString('hex')}g`],
  ])('with %s is refused', (_what, text) => {
    expect(parseSecret(text)).toBeUndefined();
  });
});

describe('the signature and the reference library', () => {
  const bodies = [
    '',
    '{}',
    '{"ключ":"значение"}',
    '{"emoji":"👩‍👩‍👧"}',
    '{"a":"\\u0000 \u2028 é"}',
    '漢'.repeat(20_000),
  ];

  it.each(bodies)('agree on a body of ours: %.20s', (body) => {
    const timestampSeconds = Math.floor(Date.now() / 1000);
    const signature = signWebhook([secret], { id: 'evt_1', timestampSeconds, body: utf8(body) });
    const headers = {
      'webhook-id': 'evt_1',
      'webhook-timestamp': String(timestampSeconds),
      'webhook-signature': signature,
    };
    const verify = () => new Webhook(secret).verify(body, headers, { jsonParse: false });
    expect(verify).not.toThrow();
  });

  it.each(bodies)('agree on a body of theirs: %.20s', (body) => {
    const headers = {
      'webhook-id': 'evt_1',
      'webhook-timestamp': String(nowSeconds),
      'webhook-signature': new Webhook(secret).sign('evt_1', new Date(nowSeconds * 1000), body),
    };
    expect(verifyWebhook([secret], { headers, body: utf8(body) }, window)).toBe('valid');
  });

  it('is the published example of Standard Webhooks', () => {
    const signature = signWebhook(['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'], {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      timestampSeconds: 1_614_265_330,
      body: utf8('{"test": 2432232314}'),
    });
    expect(signature).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  });
});

describe('signing', () => {
  const content = { id: 'evt_1', timestampSeconds: nowSeconds, body: utf8('{}') };

  it('gives one signature per secret, in their order', () => {
    const [first, second] = [signWebhook([secret], content), signWebhook([other], content)];
    expect(signWebhook([secret, other], content)).toBe(`${first} ${second}`);
  });

  it('refuses to sign with no secret, or with one that is none', () => {
    expect(() => signWebhook([], content)).toThrow(TypeError);
    expect(() => signWebhook([secret, 'whsec_'], content)).toThrow(TypeError);
  });

  it('covers bytes that are not text', () => {
    const body = new Uint8Array([0, 255, 254, 128]);
    const received = webhook({ body, signature: signWebhook([secret], { ...content, body }) });
    expect(verifyWebhook([secret], received, window)).toBe('valid');
  });
});

interface Parts {
  id?: string | string[] | undefined;
  timestamp?: string | undefined;
  signature?: string | undefined;
  body?: Uint8Array;
}

const good = signWebhook([secret], {
  id: 'evt_1',
  timestampSeconds: nowSeconds,
  body: utf8('{"a":1}'),
});

/** A webhook that is right but for the parts that are given. */
function webhook(parts: Parts) {
  const whole = {
    id: 'evt_1',
    timestamp: String(nowSeconds),
    signature: good,
    body: utf8('{"a":1}'),
    ...parts,
  };
  const headers = {
    'webhook-id': whole.id,
    'webhook-timestamp': whole.timestamp,
    'webhook-signature': whole.signature,
  };
  return { headers, body: whole.body };
}

const at = (seconds: number): Parts => ({
  timestamp: String(seconds),
  signature: signWebhook([secret], {
    id: 'evt_1',
    timestampSeconds: seconds,
    body: utf8('{"a":1}'),
  }),
});
const mac = good.slice(3);
const signedAs = (timestamp: string): Parts => ({ timestamp });

describe('verifying', () => {
  it.each<[string, Parts]>([
    ['as it was sent', {}],
    ['with two secrets, the right one second', { signature: `${signWrong()} ${good}` }],
    ['with a newer version in front', { signature: `v2,abc ${good}` }],
    ['with an asymmetric signature in front', { signature: `v1a,${mac} ${good}` }],
    ['with rubbish behind', { signature: `${good} v1,??? v1 , x` }],
    ['with two blanks between', { signature: `v1,x  ${good}` }],
    ['at the oldest moment', at(nowSeconds - 300)],
    ['at the newest moment', at(nowSeconds + 300)],
  ])('accepts a webhook %s', (_what, parts) => {
    expect(verifyWebhook([secret], webhook(parts), window)).toBe('valid');
  });

  it('accepts any of several secrets, and refuses one that is retired', () => {
    expect(verifyWebhook([other, secret], webhook({}), window)).toBe('valid');
    expect(verifyWebhook([other], webhook({}), window)).toBe('bad_signature');
    expect(verifyWebhook([], webhook({}), window)).toBe('bad_signature');
  });

  it.each<[string, Parts, string]>([
    ['no id', { id: undefined }, 'headers_missing'],
    ['an empty id', { id: '' }, 'headers_missing'],
    ['two ids', { id: ['evt_1', 'evt_1'] }, 'headers_missing'],
    ['no timestamp', { timestamp: undefined }, 'headers_missing'],
    ['an empty timestamp', { timestamp: '' }, 'headers_missing'],
    ['no signature', { signature: undefined }, 'headers_missing'],
    ['an empty signature', { signature: '' }, 'headers_missing'],
    ['a timestamp one second too old', at(nowSeconds - 301), 'timestamp_out_of_window'],
    ['a timestamp one second too new', at(nowSeconds + 301), 'timestamp_out_of_window'],
    ['the timestamp 0', at(0), 'timestamp_out_of_window'],
    ['a timestamp in milliseconds', at(nowSeconds * 1000), 'timestamp_out_of_window'],
    ['a signed timestamp', signedAs(`+${nowSeconds}`), 'timestamp_out_of_window'],
    ['a negative timestamp', signedAs(`-${nowSeconds}`), 'timestamp_out_of_window'],
    ['a timestamp with a fraction', signedAs(`${nowSeconds}.0`), 'timestamp_out_of_window'],
    ['a timestamp with an exponent', signedAs('1.79e9'), 'timestamp_out_of_window'],
    ['a timestamp with a blank', signedAs(` ${nowSeconds}`), 'timestamp_out_of_window'],
    ['a timestamp with a line end', signedAs(`${nowSeconds}\n`), 'timestamp_out_of_window'],
    ['a hexadecimal timestamp', signedAs('0x6ab13b80'), 'timestamp_out_of_window'],
    ['full-width digits', signedAs('１７９００００００００'), 'timestamp_out_of_window'],
    ['the timestamp NaN', signedAs('NaN'), 'timestamp_out_of_window'],
    ['the timestamp Infinity', signedAs('Infinity'), 'timestamp_out_of_window'],
    ['a timestamp with a leading zero', signedAs(`0${nowSeconds}`), 'bad_signature'],
    ['another timestamp in the window', signedAs(String(nowSeconds + 1)), 'bad_signature'],
    ['another id', { id: 'evt_2' }, 'bad_signature'],
    ['an id in other letters', { id: 'EVT_1' }, 'bad_signature'],
    ['an id that swallows the timestamp', { id: `evt_1.${nowSeconds}` }, 'bad_signature'],
    ['another body', { body: utf8('{"a":2}') }, 'bad_signature'],
    ['an empty body', { body: utf8('') }, 'bad_signature'],
    ['a blank after the body', { body: utf8('{"a":1} ') }, 'bad_signature'],
    ['a byte order mark', { body: utf8('\uFEFF{"a":1}') }, 'bad_signature'],
    ['a NUL after the body', { body: utf8('{"a":1}\0') }, 'bad_signature'],
    ['the signature of another secret', { signature: signWrong() }, 'bad_signature'],
    ['no version', { signature: mac }, 'bad_signature'],
    ['only a version', { signature: 'v1,' }, 'bad_signature'],
    ['only a comma', { signature: ',' }, 'bad_signature'],
    ['only blanks', { signature: '   ' }, 'bad_signature'],
    ['the version v2', { signature: `v2,${mac}` }, 'bad_signature'],
    ['the version v1a', { signature: `v1a,${mac}` }, 'bad_signature'],
    ['the version in capitals', { signature: `V1,${mac}` }, 'bad_signature'],
    ['no padding', { signature: good.replace('=', '') }, 'bad_signature'],
    ['more padding', { signature: `${good}=` }, 'bad_signature'],
    ['one character less', { signature: `v1,${mac.slice(1)}` }, 'bad_signature'],
    ['one character more', { signature: `v1,A${mac}` }, 'bad_signature'],
    ['a second comma', { signature: `${good},` }, 'bad_signature'],
    ['a tab for a blank', { signature: `v1,x\t${good}` }, 'bad_signature'],
    ['commas between the signatures', { signature: `v1,x,${good}` }, 'bad_signature'],
    ['the hexadecimal form', { signature: hexForm() }, 'bad_signature'],
    ['base64url', { signature: urlForm() }, 'bad_signature'],
    ['32 zero bytes', { signature: `v1,${'A'.repeat(43)}=` }, 'bad_signature'],
    ['10,000 wrong signatures', { signature: `${signWrong()} `.repeat(10_000) }, 'bad_signature'],
  ])('refuses a webhook with %s', (_what, parts, verdict) => {
    expect(verifyWebhook([secret], webhook(parts), window)).toBe(verdict);
  });
});

function signWrong(): string {
  return signWebhook([other], {
    id: 'evt_1',
    timestampSeconds: nowSeconds,
    body: utf8('{"a":1}'),
  });
}

function hexForm(): string {
  return `v1,${Buffer.from(mac, 'base64').toString('hex')}`;
}

/** Without padding this differs from base64 in any case. */
function urlForm(): string {
  return `v1,${Buffer.from(mac, 'base64').toString('base64url')}`;
}

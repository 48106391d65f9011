import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readMasterKey, seal, unseal } from '../../functions/shared/sealed.ts';

const ids = { secretBytes: (length: number) => new Uint8Array(randomBytes(length)) };
const base64Key = (fill: number, length = 32) => Buffer.alloc(length, fill).toString('base64');
const ring = (current: number, keys: Record<string, string>) => JSON.stringify({ current, keys });

const generated = 'x7Kp2mQv9LrT4wZs8NcB6hJd3fGy5RaE';
const masterKey = readMasterKey(ring(1, { 1: base64Key(1) }));
const context = 'ten_1#end_1#secret';

describe('a sealed value', () => {
  it.each([
    '',
    'a',
    'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    'ключ 👩‍👩‍👧 \0',
    'x'.repeat(100_000),
  ])('opens again: %.40s', (plaintext) => {
    const sealed = seal(masterKey, { plaintext, context }, ids);
    expect(unseal(masterKey, sealed, context)).toBe(plaintext);
  });

  it('shows nothing of what is in it, and differs each time', () => {
    const one = seal(masterKey, { plaintext: 'plain words', context }, ids);
    const two = seal(masterKey, { plaintext: 'plain words', context }, ids);
    expect(one).toMatch(/^s1:1:[\w-]+$/);
    expect(one).not.toBe(two);
    expect(Buffer.from(one.slice(5), 'base64url').toString('latin1')).not.toContain('plain');
  });

  it('asks for a fresh nonce of 12 bytes', () => {
    const asked: number[] = [];
    const nonces = {
      secretBytes(length: number) {
        asked.push(length);
        return new Uint8Array(length);
      },
    };
    seal(masterKey, { plaintext: '', context }, nonces);
    expect(asked).toEqual([12]);
  });

  it.each(['', 'ten_1#end_2#secret', 'ten_1#end_1#secret ', 'TEN_1#end_1#secret'])(
    'does not open with the context "%s"',
    (wrong) => {
      const sealed = seal(masterKey, { plaintext: 'a', context }, ids);
      expect(() => unseal(masterKey, sealed, wrong)).toThrow();
    },
  );

  it('does not open once any single byte has changed', () => {
    const sealed = seal(masterKey, { plaintext: 'secret', context }, ids);
    const bytes = Buffer.from(sealed.slice('s1:1:'.length), 'base64url');
    for (const [index, byte] of bytes.entries()) {
      const forged = Buffer.from(bytes);
      forged[index] = byte ^ 1;
      const text = `s1:1:${forged.toString('base64url')}`;
      expect(() => unseal(masterKey, text, context), `byte ${index}`).toThrow();
    }
  });

  it('does not open when it is cut short anywhere', () => {
    const sealed = seal(masterKey, { plaintext: 'secret', context }, ids);
    for (let length = 0; length < sealed.length; length += 1) {
      expect(() => unseal(masterKey, sealed.slice(0, length), context)).toThrow();
    }
  });

  it.each([
    '',
    's1',
    's1:1:',
    's2:1:AAAA',
    's1:0:AAAA',
    's1::AAAA',
    's1:1:AA AA',
    's1:1:AAAA=',
    's1:-1:AAAA',
    's1:1:A',
  ])('is not "%s"', (text) => {
    expect(() => unseal(masterKey, text, context)).toThrow('not a sealed value');
  });

  it('does not open under another version number with the same key', () => {
    const twins = readMasterKey(ring(1, { 1: base64Key(1), 2: base64Key(1) }));
    const sealed = seal(twins, { plaintext: 'a', context }, ids);
    expect(() => unseal(twins, sealed.replace('s1:1:', 's1:2:'), context)).toThrow();
  });

  it('does not open with another key of the same version', () => {
    const sealed = seal(masterKey, { plaintext: 'a', context }, ids);
    const stranger = readMasterKey(ring(1, { 1: base64Key(2) }));
    expect(() => unseal(stranger, sealed, context)).toThrow();
  });
});

describe('the master key', () => {
  it('still opens what an older version sealed, and seals with the current one', () => {
    const old = seal(masterKey, { plaintext: 'old', context }, ids);
    const rotated = readMasterKey(ring(2, { 1: base64Key(1), 2: base64Key(2) }));
    expect(unseal(rotated, old, context)).toBe('old');
    expect(seal(rotated, { plaintext: 'new', context }, ids)).toMatch(/^s1:2:/);
  });

  it('no longer opens what a version sealed that is gone', () => {
    const old = seal(masterKey, { plaintext: 'old', context }, ids);
    const gone = readMasterKey(ring(2, { 2: base64Key(2) }));
    expect(() => unseal(gone, old, context)).toThrow('no version 1');
  });

  it('can be a generated text, and that text can move into a ring', () => {
    const sealed = seal(readMasterKey(generated), { plaintext: 'a', context }, ids);
    const rotated = readMasterKey(ring(2, { 1: generated, 2: base64Key(2) }));
    expect(unseal(rotated, sealed, context)).toBe('a');
  });

  it('differs for two texts that differ in one character', () => {
    const sealed = seal(readMasterKey(generated), { plaintext: 'a', context }, ids);
    const near = readMasterKey(`${generated.slice(0, -1)}F`);
    expect(() => unseal(near, sealed, context)).toThrow();
  });

  it('may be a generated text that begins with a brace', () => {
    expect(readMasterKey(`{${generated}`).current).toBe('1');
  });

  it.each([
    ['of 31 characters', 'a'.repeat(31)],
    ['that is empty', ''],
    ['with a current version that it lacks', ring(2, { 1: base64Key(1) })],
    ['without keys', ring(1, {})],
    ['with a short key', ring(1, { 1: base64Key(1, 16) })],
    ['with a version that is no number', ring(1, { one: base64Key(1) })],
    ['with the version 0', ring(0, { 0: base64Key(1) })],
    ['with a current version of 1.5', ring(1.5, { 1: base64Key(1) })],
    ['with a broken ring', `{"current":1,"keys":{"1":"${base64Key(1)}"}`],
    ['with a ring of another shape', `{"key":"${base64Key(1)}"}`],
  ])('refuses a value %s', (_what, text) => {
    expect(() => readMasterKey(text)).toThrow();
  });

  it('is never repeated by the error that refuses it', () => {
    const broken = `{"current":1,"keys":{"1":"${base64Key(1)}"`;
    expect(() => readMasterKey(broken)).toThrow(/^the master key is not a key ring$/);
  });
});

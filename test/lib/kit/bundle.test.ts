import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ACCESS } from '../../../lib/access.ts';
import { assertEntries, buildId, bundle, bytesMax } from '../../../lib/kit/bundle.ts';

const ENTRIES = Object.keys(ACCESS);

describe('bundle', async () => {
  const bundles = await bundle(ENTRIES);

  it.each(ENTRIES)('keeps %s within its budget', (entry) => {
    const { bytes, inputs } = bundles[entry] ?? { bytes: Number.NaN, inputs: {} };
    expect(bytes).toBeLessThanOrEqual(bytesMax({ inputs }));
  });

  it('has a budget of 350 KB, and 480 for what opens files', () => {
    const s3 = { 'node_modules/@aws-sdk/client-s3/dist-es/S3Client.js': 1 };
    expect([bytesMax({ inputs: {} }), bytesMax({ inputs: s3 })]).toEqual([358_400, 491_520]);
  });

  it.each(ENTRIES)('leaves the search for credentials out of %s', (entry) => {
    const inputs = Object.keys(bundles[entry]?.inputs ?? {});
    expect(inputs.filter((it) => /credential-provider-(?!env)|token-providers/.test(it))).toEqual(
      [],
    );
  });

  it('takes one locale of zod, not all of them', () => {
    const locales = Object.values(bundles).flatMap(({ inputs }) =>
      Object.keys(inputs).filter((it) => it.includes('zod/v4/locales/')),
    );
    expect([...new Set(locales)]).toEqual(['node_modules/zod/v4/locales/en.js']);
  });

  it('leaves out what contracts say to people, who read it in the documentation', () => {
    const contract = readFileSync('functions/inbox/source.contract.ts', 'utf8');
    const words = [...contract.matchAll(/description: '([^'\\]{20,})'/g)].map(([, text]) => text);
    const { folder = '' } = bundles['inbox/source-api'] ?? {};
    const code = readFileSync(join(folder, 'index.mjs'), 'utf8');
    expect(words.length).toBeGreaterThan(3);
    expect(words.filter((it) => code.includes(it ?? ''))).toEqual([]);
  });

  it('answers from its cache as long as nothing has changed', async () => {
    expect(await bundle(ENTRIES)).toEqual(bundles);
    expect(buildId()).toBe(buildId());
  });

  it('writes what it says', () => {
    for (const { folder, bytes } of Object.values(bundles)) {
      expect(existsSync(join(folder, 'index.mjs'))).toBe(true);
      expect(readFileSync(join(folder, 'index.mjs'))).toHaveLength(bytes);
    }
  });

  it('names the entry that has no file', () => {
    expect(() => assertEntries([...ENTRIES, 'ledger/on-nothing'])).toThrow(
      'functions/ledger/on-nothing.ts is missing',
    );
  });
});

import { readFileSync } from 'node:fs';
import { describe, expect, inject, it } from 'vitest';

const { apiUrl } = inject('cloud');
const ask = (path: string, headers: Record<string, string> = {}) =>
  fetch(apiUrl + path, { headers });

describe('GET /openapi.json', () => {
  it('is docs/openapi.json with the address of this API', async () => {
    const committed = JSON.parse(readFileSync('docs/openapi.json', 'utf8'));
    const answer = await ask('/openapi.json');

    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(await answer.json()).toEqual({
      ...committed,
      servers: [{ ...committed.servers[0], url: new URL(apiUrl).origin }],
    });
  });
});

describe.each(['/openapi.json', '/docs', '/docs/ui.js'])('%s', (path) => {
  it('is not sent again to who has it', async () => {
    const etag = (await ask(path)).headers.get('etag') ?? '';
    const again = await ask(path, { 'if-none-match': `"other", W/${etag}` });
    const other = await ask(path, { 'if-none-match': '"other"' });

    expect(etag).toMatch(/^"[\w-]{22}"$/);
    expect([again.status, await again.text()]).toEqual([304, '']);
    expect(other.status).toBe(200);
  });

  it('needs no key and says what asked', async () => {
    const answer = await ask(path, { 'x-request-id': 'mine' });

    expect([answer.status, answer.headers.get('x-request-id')]).toEqual([200, 'mine']);
  });
});

describe('GET /docs', () => {
  it('is a page that may load nothing from elsewhere', async () => {
    const { headers } = await ask('/docs');
    const policy = headers.get('content-security-policy') ?? '';

    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(policy.split('; ')).toEqual([
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'unsafe-inline'",
      "connect-src 'self'",
      'img-src data:',
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ]);
  });

  it('names no other host, and only what this API answers', async () => {
    const page = await (await ask('/docs')).text();
    const addresses = [...page.matchAll(/(?:src|href|spec-url)="([^"]+)"/g)].map(([, it]) => it);

    expect(page).not.toMatch(/https?:|\/\//);
    expect([...new Set(addresses)].sort()).toEqual(['data:,', 'docs/ui.js', 'openapi.json']);
  });

  it('has its code from the pinned package, compressed, for a day', async () => {
    const answer = await ask('/docs/ui.js');
    const source = readFileSync(
      'node_modules/openapi-explorer/dist/browser/openapi-explorer.min.js',
    );

    expect(answer.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(answer.headers.get('content-encoding')).toBe('gzip');
    expect(answer.headers.get('cache-control')).toBe('public, max-age=86400');
    expect(source.equals(Buffer.from(await answer.arrayBuffer()))).toBe(true);
  });
});

import { describe, expect, it } from 'vitest';
import { findStatusLine } from '../../../functions/shared/http/status-line.ts';

const find = (...chunks: string[]) => findStatusLine(chunks.map((it) => Buffer.from(it)));
const hint = 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n';

describe('the final status', () => {
  it.each<[number, string[]]>([
    [200, ['HTTP/1.1 200 OK\r\n']],
    [200, ['HTTP/1.0 200 OK\r\n']],
    [204, ['HTTP/1.1 204\r\n']],
    [204, ['HTTP/1.1 204 \r\n']],
    [500, ['HTTP/1.1 500 Internal Server Error\r\nserver: a\r\nx']],
    [302, ['HTTP/1.1 302 Found\n']],
    [999, ['HTTP/1.1 999 Odd\r\n']],
    [410, ['HTTP/1', '.1 4', '10 Gone\r', '\n']],
    [200, ['HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 200 OK\r\n']],
    [429, [hint, hint, 'HTTP/1.1 429 No\r\n']],
    [200, ['HTTP/1.1 200 OK\r\n', 'x'.repeat(100_000)]],
    [200, ['\r\n\n\r\nHTTP/1.1 200 OK\r\n']],
  ])('is %i in %j', (status, chunks) => {
    expect(find(...chunks)).toBe(status);
  });

  it.each([
    '',
    'HTTP/1.1 200 OK',
    'HTTP/1.1 200 OK\r',
    'HTTP/1.1 20\r\n',
    'HTTP/1.1 2000 OK\r\n',
    'HTTP/1.1 099 OK\r\n',
    'HTTP/2 200 OK\r\n',
    'HTTP/1.1  200 OK\r\n',
    ' HTTP/1.1 200 OK\r\n',
    'ICY 200 OK\r\n',
    hint,
    'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nHTTP/1.1 200 OK\r\n',
    `${'x'.repeat(16_384)}HTTP/1.1 200 OK\r\n`,
  ])('is not there in "%.60s"', (text) => {
    expect(find(text)).toBeUndefined();
  });

  it('is looked for in linear time: else this would not come to its end', () => {
    const [informed, lines] = ['HTTP/1.1 100 a\n'.repeat(200_000), 'a\n'.repeat(800_000)];
    expect(find(informed, lines)).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import { servedAt } from '../../functions/docs/open-api.ts';

const document = '{"a":1,"servers":[{"url":"/","description":"here"}],"z":2}';
const at = (url: string) => `{"a":1,"servers":[{"url":"${url}","description":"here"}],"z":2}`;

describe('servedAt', () => {
  it.each([
    [
      'https',
      'abc.execute-api.eu-west-1.amazonaws.com',
      'https://abc.execute-api.eu-west-1.amazonaws.com',
    ],
    [undefined, 'localhost:3000', 'http://localhost:3000'],
    [undefined, '127.0.0.1:3000', 'http://127.0.0.1:3000'],
    [undefined, '[::1]:3000', 'http://[::1]:3000'],
  ])('says %s and %s as %s', (protocol, host, url) => {
    expect(servedAt(document, protocol, host)).toBe(at(url));
  });

  it.each([undefined, '', 'a b', 'evil.example/path', 'user@host', '"', 'host:port'])(
    'leaves the relative address for the host %j',
    (host) => {
      expect(servedAt(document, undefined, host)).toBe(document);
    },
  );
});

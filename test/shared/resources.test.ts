import { afterEach, expect, it, vi } from 'vitest';
import { allowUrl } from '../../functions/shared/http/allowed-url.ts';
import { receivers } from '../../functions/shared/resources.ts';

afterEach(() => vi.unstubAllEnvs());

it.each([
  ['http://127.0.0.1:4000/', false],
  ['http://127.0.0.1:4001/', false],
  ['http://localhost:4001/', false],
  ['http://[::1]:4002/', false],
  ['http://127.0.0.1:4003/', false],
  ['http://127.0.0.1:4004/', false],
  ['http://127.0.0.1:4005/', false],
  ['http://127.0.0.1:4006/', true],
])('no receiver is this API, or a service that it works with: %s', (url, isAllowed) => {
  vi.stubEnv('EGRESS', 'loopback');
  vi.stubEnv('API_HOSTS', 'http://127.0.0.1:4000');
  vi.stubEnv('AWS_ENDPOINT_URL_DYNAMODB', 'http://127.0.0.1:4001');
  vi.stubEnv('AWS_ENDPOINT_URL_SQS', 'http://127.0.0.1:4002');
  vi.stubEnv('AWS_ENDPOINT_URL_S3', 'http://127.0.0.1:4003');
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', 'http://127.0.0.1:4004');
  vi.stubEnv('AWS_ENDPOINT_URL_CLOUDWATCH', 'http://127.0.0.1:4005');
  const allow = () => allowUrl(url, receivers());
  if (isAllowed) expect(allow).not.toThrow();
  else expect(allow).toThrow('The URL must not be that of this API.');
});

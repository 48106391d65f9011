import { describe, expect, it } from 'vitest';
import { optionsOf } from '../../lib/options.ts';
import { appWith } from '../support/stack.ts';

describe('optionsOf', () => {
  it('reads what `-c name=value` says, and leaves the rest at its default', () => {
    const options = optionsOf(appWith({ stage: 'prod', workerShare: '0.5' }), undefined);
    expect(options).toMatchObject({ stage: 'prod', workerShare: 0.5, egress: 'public' });
  });

  it('refuses an option that it does not know, by name', () => {
    expect(() => optionsOf(appWith({ stag: 'prod' }), undefined)).toThrow('"stag"');
  });

  it.each([
    { endpoint: undefined, allowed: false },
    { endpoint: '', allowed: false },
    { endpoint: 'https://dynamodb.eu-west-1.amazonaws.com', allowed: false },
    { endpoint: 'http://127.0.0.1.example.com:4566', allowed: false },
    { endpoint: 'http://127.0.0.1@example.com', allowed: false },
    { endpoint: 'http://127.0.0.1:4566', allowed: true },
    { endpoint: 'http://localhost:4566', allowed: true },
    { endpoint: 'http://[::1]:4566', allowed: true },
  ])('egress=loopback with AWS_ENDPOINT_URL $endpoint: $allowed', ({ endpoint, allowed }) => {
    const read = () => optionsOf(appWith({ egress: 'loopback' }), endpoint);
    if (allowed) expect(read().egress).toBe('loopback');
    else expect(read).toThrow('egress: loopback is for a local cloud only');
  });
});

import { describe, expect, it } from 'vitest';
import { classifyAddress } from '../../../functions/shared/http/allowed-address.ts';
import { PRIVATE_ADDRESSES } from '../../support/ssrf-vectors.ts';

describe('an address', () => {
  it.each([
    '1.1.1.1',
    '8.8.8.8',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.0',
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '2a00:1450:4001::1',
    '3ffe::1',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
  ])('%s is public', (address) => {
    expect(classifyAddress(address)).toBe('public');
  });

  it.each(['127.0.0.0', '127.0.0.1', '127.255.255.255', '::1', '::ffff:127.0.0.1'])(
    '%s is this machine',
    (address) => {
      expect(classifyAddress(address)).toBe('loopback');
    },
  );

  it.each(PRIVATE_ADDRESSES)('of the kind %s is not public: %s', (_what, address) => {
    expect(classifyAddress(address)).not.toBe('public');
  });

  it.each([
    '',
    'localhost',
    '127.1',
    '0x7f.0.0.1',
    '2130706433',
    '8.8.8.8.',
    ' 8.8.8.8',
    '8.8.8.8:443',
    '[2606:4700::1]',
    '2606:4700::1%eth0',
    'fe80::1%eth0',
    '1.2.3',
    '08.8.8.8',
  ])('"%s" is no address that we trust', (text) => {
    expect(classifyAddress(text)).toBe('refused');
  });
});

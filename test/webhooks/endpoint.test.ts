import { describe, expect, it } from 'vitest';
import { type Endpoint, isReportable, wants } from '../../functions/webhooks/endpoint.ts';

const endpoint: Endpoint = {
  id: 'end_1',
  tenantId: 'ten_1',
  url: 'https://example.com/',
  status: 'active',
  retry: { maxAttempts: 11 },
  timeoutMs: 10_000,
  onUnknown: 'resend',
  secrets: [],
  createdAtMs: 0,
};

describe('wants', () => {
  it.each([
    { filters: undefined, type: 'order.paid', wanted: true },
    { filters: undefined, type: 'delivery.exhausted', wanted: false },
    { filters: undefined, type: 'endpoint.disabled', wanted: false },
    { filters: undefined, type: 'endpoint.failing', wanted: true },
    { filters: ['delivery.exhausted'], type: 'delivery.exhausted', wanted: true },
    { filters: ['delivery.*'], type: 'delivery.exhausted', wanted: true },
    { filters: ['transaction.*'], type: 'transaction.posted', wanted: true },
    { filters: ['transaction.*'], type: 'transaction.a.b', wanted: true },
    { filters: ['transaction.*'], type: 'transaction', wanted: false },
    { filters: ['transaction.*'], type: 'transactions.posted', wanted: false },
    { filters: ['transaction.posted'], type: 'transaction.posted', wanted: true },
    { filters: ['transaction.posted'], type: 'transaction.posted.x', wanted: false },
    { filters: ['a', 'b.*'], type: 'b.c', wanted: true },
    { filters: ['a', 'b.*'], type: 'c', wanted: false },
  ])('$filters wants $type: $wanted', ({ filters, type, wanted }) => {
    expect(wants({ ...endpoint, eventTypes: filters }, { type })).toBe(wanted);
  });

  it.each([
    { status: 'active', wanted: true },
    { status: 'paused', wanted: true },
    { status: 'disabled', wanted: false },
  ] as const)('a $status endpoint wants anything: $wanted', ({ status, wanted }) => {
    expect(wants({ ...endpoint, status }, { type: 'order.paid' })).toBe(wanted);
    expect(wants({ ...endpoint, status }, { type: 'order.paid', to: 'end_1' })).toBe(wanted);
  });

  it('heeds the address before the filter', () => {
    const filtered = { ...endpoint, eventTypes: ['other'] };
    expect(wants(filtered, { type: 'alert', to: 'end_1' })).toBe(true);
    expect(wants(endpoint, { type: 'order.paid', to: 'end_2' })).toBe(false);
  });

  it('never tells an endpoint of its own trouble', () => {
    const named = { ...endpoint, eventTypes: ['delivery.exhausted'] };
    expect(wants(named, { type: 'delivery.exhausted', about: 'end_1' })).toBe(false);
    expect(wants(named, { type: 'delivery.exhausted', about: 'end_2' })).toBe(true);
  });
});

describe('isReportable', () => {
  it.each([
    ['order.paid', true],
    ['delivery.exhausted', false],
    ['endpoint.disabled', false],
  ])('%s: %s', (type, reportable) => expect(isReportable(type)).toBe(reportable));
});

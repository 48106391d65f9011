/** Around this moment: what is over, and what is still to come. */
const OFFSETS_MS = [-60_000, -1_000, -50, 60_000, 3_600_000];

/**
 * Values by the name of their member that lead beyond the schema: money of few currencies,
 * receivers that exist, states that leave something to do. Those that a schema does not take are
 * left out by whoever asks.
 */
export function sensibleValues(receiverUrl: string): (name: string) => readonly unknown[] {
  const fixed: Readonly<Record<string, readonly unknown[]>> = {
    currency: [...Array(30).fill('EUR'), 'USD', 'JPY', 'XYZ/6'],
    amount: ['1', '1', '5', '100', 7, '1000000000', '1000000000000000000'],
    minBalance: ['0', null, '-500'],
    maxBalance: ['1000000', null],
    minAvailable: ['0', '1', '-500'],
    version: [0, 1, 2, 3],
    mode: ['limited', 'limited', 'limited', 'derived', 'live', 'test'],
    status: ['active', 'active', 'active', 'active', 'frozen', 'posted', 'pending'],
    url: [receiverUrl],
    secret: [`whsec_${Buffer.alloc(24, 7).toString('base64')}`],
    limit: ['1', '2', '25', '100'],
    reference: ['order-1', 'order-2'],
    externalId: Array.from({ length: 30 }, (_one, n) => `user-${n}`),
  };
  const instants = new Set(['at', 'from', 'to', 'expiresAt', 'dueAt', 'effectiveAt']);
  return (name) => {
    if (!instants.has(name)) return fixed[name] ?? [];
    // What was due a minute ago is refused before anybody looks whose task it is.
    const offsets = name === 'dueAt' ? OFFSETS_MS.slice(1) : OFFSETS_MS;
    return offsets.map((it) => new Date(Date.now() + it).toISOString());
  };
}

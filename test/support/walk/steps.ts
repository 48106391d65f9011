import { callAws } from '../../../local/aws-call.ts';
import { until } from '../until.ts';
import { announce, walkActions, walkResults } from './file-steps.ts';
import { walkInbox } from './inbox-steps.ts';
import { walkLedger } from './ledger-steps.ts';
import { walkReplays } from './replay-steps.ts';
import { walkTasks } from './task-steps.ts';
import { type Body, idOf, type Walk } from './walk.ts';

/** Where the walk's webhooks go. */
export interface Addresses {
  /** Takes every webhook. */
  readonly good: string;
  /** Refuses every webhook. */
  readonly bad: string;
  /** A queue of dead letters, that of audits. */
  readonly deadLetters: string;
}

/**
 * Each route once, in the order in which one gets to know the API, and the usual refusals. A new
 * route is one more line; the first call of an operation becomes its example.
 */
export async function walkThrough(walk: Walk, addresses: Addresses): Promise<void> {
  await walk.call('health');
  await walk.call('ready');
  await walkTenants(walk);
  await walkKeys(walk);
  const endpoint = await walkEndpoints(walk, addresses);
  const account = await walkLedger(walk);
  await walkAudit(walk);
  await walkEvents(walk, endpoint);
  await walkFiles(walk, endpoint);
  await walkTasks(walk, String(account.id));
  await walkInbox(walk);
  await walkDeliveries(walk, endpoint);
  await walkDeadLetters(walk, addresses);
  await walkRefusals(walk);
}

async function walkTenants(walk: Walk): Promise<void> {
  // So that the list of tenants has a second page, whoever else uses the installation.
  await walk.setUp('createTenant', { body: { name: 'Acme Travel', mode: 'test' } });
  const tenant = await walk.call('createTenant', { body: { name: 'Acme Payments' } });
  walk.use(String(tenant.apiKey?.key));
  const params = idOf(tenant);
  await walk.call('getTenant', { params });
  await walk.call('listTenants', { query: { limit: '1' } });
  await walk.call('updateTenant', { params, body: { limits: { requestsPerSecond: 200 } } });
  await walk.call('createTenantKey', { params, body: { name: 'In place of a lost one' } });
  await walk.call('getOwnTenant');
}

async function walkKeys(walk: Walk): Promise<void> {
  const key = await walk.call('createKey', {
    body: {
      name: 'Checkout',
      scopes: ['ledger:read', 'ledger:write'],
      rateLimit: { perSecond: 50, burst: 100 },
      expiresAt: '2099-12-31T00:00:00.000Z',
    },
  });
  const params = idOf(key);
  await walk.call('getKey', { params });
  await walk.call('rotateKey', { params, body: { overlapSeconds: 3_600 } });
  await walk.call('revokeKey', { params });
  await walk.call('listKeys', { query: { limit: '2' } });
}

async function walkEndpoints(walk: Walk, { good, bad }: Addresses): Promise<Body> {
  const endpoint = await walk.call('createEndpoint', {
    body: {
      url: good,
      description: 'Bookkeeping',
      rateLimit: { perSecond: 50 },
      retry: { maxAttempts: 8 },
    },
  });
  await walk.call('createEndpoint', {
    body: { url: bad, eventTypes: ['order.*'], retry: { maxAttempts: 1 } },
  });
  // This type goes only to endpoints that name it.
  await walk.call('createEndpoint', { body: { url: good, eventTypes: ['delivery.exhausted'] } });
  await walk.call('getEndpoint', { params: idOf(endpoint) });
  await walk.call('getEndpointSecret', { params: idOf(endpoint) });
  await walk.call('listEndpoints', { query: { status: 'active' } });
  await walk.call('updateEndpoint', {
    params: idOf(endpoint),
    body: { rateLimit: { perSecond: 100 }, headers: { authorization: 'Bearer 4f2a' } },
  });
  await walk.call('testEndpoint', { params: idOf(endpoint) });
  await walk.call('rotateSecret', { params: idOf(endpoint), body: { graceSeconds: 3_600 } });
  const former = await walk.setUp('createEndpoint', { body: { url: good, status: 'paused' } });
  await walk.call('deleteEndpoint', { params: idOf(former) });
  return endpoint;
}

async function walkAudit(walk: Walk): Promise<void> {
  const params = idOf(await walk.call('createAudit'));
  const until = ({ status }: Body) => String(status) !== 'running';
  await walk.call('getAudit', { params, until });
  await walk.call('listAudits');
}

async function walkEvents(walk: Walk, endpoint: Body): Promise<void> {
  const shipped = { type: 'order.shipped', data: { orderId: 'order-1042', carrier: 'DHL' } };
  const event = await walk.call('createEvent', { body: shipped });
  const sent = { type: 'invoice.sent', data: { invoiceId: 'invoice-7', total: '100.00' } };
  const paid = { type: 'invoice.paid', data: { invoiceId: 'invoice-7' } };
  const occurredAt = '2026-11-21T10:30:00.000Z';
  await walk.call('createEventBatch', { body: { events: [sent, { ...paid, occurredAt }] } });
  await walk.call('createAlert', {
    body: { endpointId: String(endpoint.id), userId: 'user-3', message: 'Your statement is ready' },
  });
  await walk.call('getEvent', {
    params: idOf(event),
    until: ({ deliveries }) => JSON.stringify(deliveries).includes('"delivered"'),
  });
  await walk.call('listEvents', {
    query: { type: 'invoice.*', limit: '2' },
    // Both are on the list, and were relayed.
    until: ({ data }) => JSON.stringify(data).split('"relayedAt"').length === 3,
  });
}

async function walkFiles(walk: Walk, endpoint: Body): Promise<void> {
  const endpointId = String(endpoint.id);
  const users = 'user_id,first_name\nuser-1,Ada\nuser-2,Grace\n';
  const message = 'Your statement is ready';
  const file = await announce(walk, users, { endpointId, message });
  await walk.call('getFile', {
    params: idOf(file),
    until: ({ status }) => String(status) === 'completed',
  });
  await walkResults(walk, file);
  const failed = await announce(walk, 'no_such_column\n1\n', { endpointId });
  await walk.call('listFiles', {
    until: ({ data }) => JSON.stringify(data).includes('"status":"failed"'),
  });
  await walk.call('retryFile', { params: idOf(failed) });
  await walkActions(walk, endpointId);
}

async function walkDeliveries(walk: Walk, endpoint: Body): Promise<void> {
  const exhausted = await walk.call('listDeliveries', {
    query: { status: 'exhausted' },
    until: ({ data }) => Number(data?.length) === 1,
  });
  const [delivery] = exhausted.data as unknown as Body[];
  await walk.call('getDelivery', { params: idOf(delivery) });
  await walk.call('retryDelivery', { params: idOf(delivery) });
  const delivered = await walk.setUp('listDeliveries', {
    query: { endpointId: String(endpoint.id), status: 'delivered' },
    until: ({ data }) => Number(data?.length) > 0,
  });
  const [done] = delivered.data as unknown as Body[];
  await walk.refused('not_retryable', 'retryDelivery', { params: idOf(done) });
  await walk.call('getEndpointHealth', {
    params: idOf(endpoint),
    // While something waits it says until when.
    until: ({ waiting }) => Number(waiting) === 0,
  });
  await walkReplays(walk, String(endpoint.id));
}

async function walkDeadLetters(walk: Walk, { deadLetters }: Addresses): Promise<void> {
  const queue = 'audits';
  // First, because others move letters of this queue as well: then the list always tells of a move.
  await walk.call('redriveDeadLetters', { body: { queue, ratePerSecond: 10 } });
  await walk.refused('not_available', 'redriveDeadLetters', { body: { queue: 'unrelayed' } });
  const hasMoved = ({ data }: Body) => JSON.stringify(data).includes('"status":"completed"');
  await walk.setUp('listDeadLetters', { query: { queue }, until: hasMoved });

  // They may take this one as well: then another one is put there.
  const fault = () => dropOne(walk, { deadLetters, queue }).then(() => '', String);
  await until(fault, (it) => it === '');
}

/** After so long somebody else has taken a dead letter. */
const GONE_MS = 5_000;

interface Listed {
  readonly messages: readonly { readonly id: string }[];
}

/** A dead letter is made by hand, looked at, and dropped. */
async function dropOne(
  walk: Walk,
  { deadLetters, queue }: Pick<Addresses, 'deadLetters'> & { readonly queue: string },
): Promise<void> {
  const { origin: endpoint } = new URL(deadLetters);
  const message = { QueueUrl: deadLetters, MessageBody: 'made by hand' };
  await callAws({ endpoint, service: 'sqs' }, 'SendMessage', message);
  const idIn = ({ data }: Body) => (data as unknown as Listed[])[0]?.messages[0]?.id;
  const listed = await walk.call('listDeadLetters', {
    query: { queue },
    until: (it) => idIn(it) !== undefined,
    patienceMs: GONE_MS,
  });
  const messageId = String(idIn(listed));
  const body = { queue, messageId, reason: 'Sent by hand, no audit of that name' };
  await walk.call('dropDeadLetter', { body });
}

async function walkRefusals(walk: Walk): Promise<void> {
  const body = { currency: 'EUR' };
  const debit = { type: 'debit', accountId: `acc_${'0'.repeat(26)}`, currency: 'EUR' };
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
  await walk.refused('unauthorized', 'listAccounts', { headers: bearer('th_live_nobody') });
  await walk.refused('forbidden_scope', 'listAccounts', { key: 'admin' });
  await walk.refused('not_found', 'getAccount', { params: { id: debit.accountId } });
  await walk.refused('invalid_cursor', 'listAccounts', { query: { cursor: 'made-up' } });
  await walk.refused('malformed_json', 'createAccount', { text: '{"currency":' });
  await walk.refused('validation_failed', 'createAccount', {
    body: { currency: 'euro', nam: 'A' },
  });
  await walk.refused('invalid_amount', 'createTransaction', {
    body: { ...debit, amount: '25.00' },
  });
  await walk.refused('unsupported_media_type', 'createAccount', {
    text: 'currency=EUR',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  await walk.refused('payload_too_large', 'createAccount', { text: ' '.repeat(257 * 1_024) });
  await walk.refused('idempotency_key_required', 'createTransaction', {
    body: { ...debit, amount: '1' },
    headers: { 'idempotency-key': '' },
  });
  const badKey = { 'idempotency-key': 'with a blank' };
  await walk.refused('idempotency_key_invalid', 'createAccount', { body, headers: badKey });
  const sameKey = { 'idempotency-key': 'order-1042' };
  await walk.setUp('createAccount', { body, headers: sameKey });
  await walk.refused('idempotency_key_reused', 'createAccount', {
    body: { currency: 'USD' },
    headers: sameKey,
  });
  await walk.refused('url_not_allowed', 'createEndpoint', { body: { url: 'ftp://example.com' } });
}

import type { ApiCaller } from './api-caller.ts';
import { asTenant } from './as-tenant.ts';
import { type Command, type Desk, type Given, type Outcome, Refusal } from './command.ts';
import { inColumns } from './rows.ts';

const POLL_MS = 1_000;
const SHOWN_MAX = 10;

interface Delivery {
  readonly id: string;
  readonly eventType: string;
  readonly status: string;
  readonly createdAt: string;
}

interface Replay {
  readonly id: string;
  readonly object: 'replay' | 'dry_run';
  readonly status?: string;
  readonly matched: number;
  readonly sent?: number;
  readonly hasMore?: boolean;
  readonly data?: readonly Delivery[];
}

/** Sends webhooks again, as their tenant could. */
export const resend: Command = {
  name: 'resend',
  form: '<delivery id>|<event id>|--endpoint ID --from TIME --tenant ID',
  help: [
    '--tenant ID      whose they are',
    '--force          also what was delivered, and what runs (one, or those of an event)',
    '--endpoint ID    those of this endpoint whose events were accepted …',
    '--from TIME        from then on, such as 2026-11-21T10:00:00Z, and …',
    '--to TIME          before then (now)',
    '--status A,B     only those (exhausted,uncertain,expired,missing; also delivered)',
    '--type A,B       only of these event types',
    'Receivers get the same webhook-id again. It goes at half of the rate of the endpoint.',
    'It ends with code 1 when nothing was sent.',
    'It makes a key of the tenant, by a dry run too, and revokes it at its end; one that is left',
    'behind ends after 15 minutes.',
  ],
  flags: {
    ...{ tenant: 'string', force: 'boolean', endpoint: 'string', from: 'string', to: 'string' },
    ...{ status: 'string', type: 'string' },
  },
  wordsMax: 1,
  async run(given, desk) {
    const tenantId = given.text('tenant');
    if (tenantId === undefined) throw new Refusal('say whose they are: --tenant ID');
    const work = chosen(given, desk);
    const scopes = ['webhooks:read', 'webhooks:write'];
    return asTenant(desk, { tenantId, scopes, name: 'npm run ops -- resend' }, work);
  },
};

/** Flags that choose among the deliveries of an endpoint. */
const OF_ENDPOINT = ['from', 'to', 'status', 'type'];

/** What is to be sent again. Refused before anybody is asked. */
function chosen(given: Given, desk: Desk): (tenant: ApiCaller) => Promise<Outcome> {
  const [id] = given.words;
  const endpointId = given.text('endpoint');
  if ((id === undefined) === (endpointId === undefined)) {
    throw new Refusal('name a delivery, an event, or an endpoint by --endpoint');
  }
  if (endpointId !== undefined) {
    if (given.has('force')) throw new Refusal('--force is for one delivery, or those of an event');
    const order = orderOf(given, endpointId);
    return (tenant) => replay(tenant, order, desk);
  }
  const alien = OF_ENDPOINT.find((it) => given.text(it) !== undefined);
  if (alien !== undefined) throw new Refusal(`--${alien} goes with --endpoint`);
  const { print } = desk;
  const wish = { print, isForced: given.has('force'), isDry: given.has('dry-run') };
  if (id?.startsWith('dlv_')) {
    return async (tenant) => {
      const delivery = await tenant.call<Delivery>('GET', `/v1/deliveries/${id}`);
      return retryAll(tenant, [delivery], wish);
    };
  }
  if (!id?.startsWith('evt_'))
    throw new Refusal(`${id} is no delivery (dlv_…) and no event (evt_…)`);
  return async (tenant) => retryAll(tenant, await deliveriesOf(tenant, id), wish);
}

function orderOf(given: Given, endpointId: string) {
  const from = given.text('from');
  if (from === undefined) throw new Refusal('say from when on: --from TIME');
  const list = (name: string) => given.text(name)?.split(',');
  return {
    endpointId,
    from,
    to: given.text('to') ?? new Date().toISOString(),
    ...(given.has('dry-run') && { dryRun: true }),
    statuses: list('status'),
    eventTypes: list('type'),
  };
}

async function deliveriesOf(tenant: ApiCaller, eventId: string): Promise<Delivery[]> {
  const found: Delivery[] = [];
  let cursor: string | undefined;
  do {
    const more = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const path = `/v1/deliveries?limit=100&eventId=${eventId}${more}`;
    const page = await tenant.call<{ data: Delivery[]; nextCursor?: string }>('GET', path);
    found.push(...page.data);
    cursor = page.nextCursor;
  } while (cursor);
  return found;
}

/** Those that ended without success; by force all of them. */
async function retryAll(
  tenant: ApiCaller,
  deliveries: readonly Delivery[],
  { print, ...wish }: Omit<Wish, 'id'> & Pick<Desk, 'print'>,
): Promise<Outcome> {
  const rows: string[][] = [];
  for (const { id, eventType, status } of deliveries) {
    rows.push([id, eventType, status, await retry(tenant, { id, ...wish })]);
  }
  if (rows.length === 0) print('there are no deliveries of it');
  for (const line of inColumns(rows)) print(line);
  return wish.isDry || rows.some(([, , , end]) => end === SENT) ? 'done' : 'person';
}

const SENT = 'sent again';

interface Wish {
  readonly id: string;
  readonly isForced: boolean;
  readonly isDry: boolean;
}

async function retry(tenant: ApiCaller, { id, isForced, isDry }: Wish): Promise<string> {
  if (isDry) return 'would be asked for';
  const path = `/v1/deliveries/${id}/retry?force=${isForced}`;
  const { status, body } = await tenant.ask('POST', path);
  return status < 300 ? SENT : `${body.code}: ${body.detail}`;
}

async function replay(
  tenant: ApiCaller,
  order: object,
  { print, note, sleep }: Desk,
): Promise<Outcome> {
  const made = await tenant.call<Replay>('POST', '/v1/replays', order);
  if (made.object === 'dry_run') {
    const rows = (made.data ?? []).slice(0, SHOWN_MAX);
    for (const line of inColumns(
      rows.map((it) => [it.id, it.eventType, it.status, it.createdAt]),
    )) {
      print(line);
    }
    print(`${made.matched}${made.hasMore ? ' and more' : ''} would be sent again`);
    return 'done';
  }
  let latest = made;
  while (latest.status === 'running') {
    note(`${made.id}: ${latest.sent} of ${latest.matched} …`);
    await sleep(POLL_MS);
    latest = await tenant.call<Replay>('GET', `/v1/replays/${made.id}`);
  }
  print(`${made.id} is ${latest.status}: ${latest.sent} of ${latest.matched} sent again`);
  return latest.sent ? 'done' : 'person';
}

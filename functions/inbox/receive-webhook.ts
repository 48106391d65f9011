import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { nameOfNetwork, networkOf } from '../shared/http/client-address.ts';
import { retryAfterSeconds } from '../shared/http/rate-headers.ts';
import { type Call, route } from '../shared/http/route.ts';
import { deriveId } from '../shared/ids/derive.ts';
import { Problem } from '../shared/problem.ts';
import { readMasterKey } from '../shared/sealed.ts';
import { MINUTE_MS, SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import type { DuplicateMark } from './duplicate-mark.store.ts';
import { forwardedHeaders, hashOf, identityOf, incomingOf, withoutSignatures } from './incoming.ts';
import { receiveWebhookRoute } from './receipt.contract.ts';
import { countConflict } from './receipt.store.ts';
import type { Receipt } from './receipt.ts';
import { draftReceipt } from './receipt-draft.ts';
import type { KnownSources } from './remember-source.ts';
import { type Verified, verify } from './signature-scheme.ts';
import { FAILURES, type Source, termsOf } from './source.ts';
import { openSecrets } from './source-sealing.ts';
import {
  countRequest,
  type Draft,
  type SourceTokens,
  type Stored,
  type StoringNeeds,
  storeReceipt,
} from './store-receipt.ts';

type Needs = StoringNeeds &
  Pick<World, 'secrets'> & {
    readonly sources: KnownSources;
    /** Takes a token of those that failed: apart, lest strangers push the rates of sources out. */
    readonly takeFailure: SourceTokens['takeToken'];
    /** How many events a tenant may have a day; undefined: any number. */
    dailyEventsOf(tenantId: string): Promise<number | undefined>;
  };
type WebhookCall = Call<typeof receiveWebhookRoute>;

/**
 * POST /v1/in/{sourceId}: the signature is judged over the exact bytes, and the receipt is stored
 * before the answer. A copy is answered 200 with the receipt of the first, whatever its body is.
 */
export const receiveWebhook = route(receiveWebhookRoute, async (call, world: Needs) => {
  const taken = await countRequest(world, () => receive(call, world));
  if ('challenge' in taken) return { body: taken, status: 200 };
  const { id, status } = taken.receipt;
  return { body: { id, status }, status: taken.isNew ? 202 : 200 };
});

/** What Slack asks for is no webhook: nothing is stored of it. */
async function receive(
  call: WebhookCall,
  world: Needs,
): Promise<Stored | { readonly challenge: string }> {
  const { source, verified } = await judge(call, world);
  const challenge = source.scheme === 'slack' ? challengeIn(call.bytes()) : undefined;
  if (challenge !== undefined) return { challenge };
  if (source.status === 'paused') throw paused();

  const dailyEvents = await world.dailyEventsOf(source.tenantId);
  const draft = { ...draftOf(call, { source, verified }, world), dailyEvents };
  const stored = await storeReceipt(draft, termsOf(source), world);
  await tellConflict(stored, draft.receipt, world);
  return stored;
}

interface Judged {
  readonly source: Source;
  readonly verified: Verified;
}

/**
 * Refuses with `not_found` and `signature_invalid`. Before that the source is read anew, so that a
 * rotation is effective within a second. Only what does not fit is counted, and so refused with
 * `rate_limited`: whoever signs well comes in, whatever else has come from the same address.
 */
async function judge(call: WebhookCall, world: Needs): Promise<Judged> {
  const { params, ...asked } = call;
  const { sources, clock } = world;
  const masterKey = readMasterKey(await world.secrets.read('master-key'));
  const verifiedBy = (source: Source) => {
    const nowMs = clock.nowMs();
    const incoming = incomingOf(asked, source, nowMs);
    return verify(source, openSecrets(source, masterKey, nowMs), incoming);
  };
  const known = await sources.find(world, params.sourceId);
  if (!known) throw new Problem('not_found');
  const verified = verifiedBy(known);
  if (verified) return { source: known, verified };

  const source = await sources.findAgain(world, params.sourceId);
  const now = source && verifiedBy(source);
  if (source && now) return { source, verified: now };
  await countFailure(known, call, world);
  throw new Problem('signature_invalid', {
    detail: 'The signature, its time or its headers do not fit. Look at the secret and the clock.',
  });
}

/** Refuses with `rate_limited` where too many have failed. Nothing is written while that lasts. */
async function countFailure(
  { id }: Source,
  { address }: Pick<WebhookCall, 'address'>,
  { ids, takeFailure }: Needs,
): Promise<void> {
  const network = networkOf(address);
  if (network === undefined) return;
  const { isFree, waitMs } = await takeFailure(`bad#${id}#${nameOfNetwork(network)}`, FAILURES);
  if (isFree) return;
  throw new Problem('rate_limited', {
    detail: 'Too many webhooks without a good signature come from this address.',
    retryAfterSeconds: retryAfterSeconds(waitMs, ids.random()),
  });
}

/** What Slack wants to be told when somebody enters a URL there. */
function challengeIn(body: Uint8Array): string | undefined {
  try {
    const { type, challenge } = Object(JSON.parse(Buffer.from(body).toString()));
    return type === 'url_verification' && typeof challenge === 'string' ? challenge : undefined;
  } catch {
    return undefined;
  }
}

function paused(): Problem {
  return new Problem('source_closed', {
    detail: 'This source is paused. Send the same webhook again later.',
    retryAfterSeconds: MINUTE_MS / SECOND_MS,
  });
}

function draftOf(
  call: WebhookCall,
  { source, verified }: Judged,
  world: Needs,
): Omit<Draft, 'dailyEvents'> {
  const { traceparent, hops } = call;
  const body = call.bytes();
  const sha256 = hashOf(body);
  const identity = identityOf(source, verified, { sha256, header: call.header });
  const id = identity === undefined ? world.ids.next('rcp') : deriveId('rcp', source.id, identity);
  const receipt = draftReceipt(
    {
      id,
      tenantId: source.tenantId,
      sourceId: source.id,
      contentType: contentTypeOf(withoutSignatures(call, source.hmac)),
      headers: forwardedHeaders(call, source.hmac),
      forwardAs: source.forwardAs,
      ...{ traceparent, hops },
    },
    body,
    world,
  );
  const mark = identity === undefined ? markOf(receipt, source) : undefined;
  return { receipt, body, mark, isKnown: identity !== undefined };
}

const TYPE_LENGTH_MAX = 200;

function contentTypeOf({ header }: Pick<WebhookCall, 'header'>): string | undefined {
  return header('content-type')?.slice(0, TYPE_LENGTH_MAX);
}

function markOf(
  { id: receiptId, sha256, receivedAtMs: nowMs }: Receipt,
  { id: sourceId, dedupeSeconds }: Source,
): DuplicateMark | undefined {
  if (dedupeSeconds === undefined) return undefined;
  return { sourceId, sha256, receiptId, nowMs, untilMs: nowMs + dedupeSeconds * SECOND_MS };
}

/** Another body under the same id: the first is kept, and somebody should know. */
async function tellConflict(
  { receipt, isNew }: Stored,
  { sha256 }: Receipt,
  world: Needs,
): Promise<void> {
  if (isNew || receipt.sha256 === sha256) return;
  const { tenantId, id: receiptId, sourceId } = receipt;
  // Its worker may be at its end at this moment, which is a transaction on the same item.
  await commitDespiteConflicts(world, [countConflict(receipt)]);
  world.meters.count('webhook_conflicts_total', {});
  world.log.warn('webhook.conflict', { tenantId, sourceId, receiptId });
}

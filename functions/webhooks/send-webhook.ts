import { readMasterKey, unseal } from '../shared/sealed.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { type Attempt, judge } from './attempt.ts';
import { type Endpoint, secretContext } from './endpoint.ts';
import { type OutgoingWebhook, webhookBody, webhookHeaders } from './outgoing-webhook.ts';
import { signWebhook } from './signature.ts';

/**
 * Signs a webhook with every active secret of the endpoint and sends it once. Whatever the
 * receiver does is an `Attempt`; only a fault of our own (a secret that cannot be read) throws,
 * and then nothing was sent. Nothing is stored.
 */
export async function sendWebhook(
  { clock, http, secrets }: Pick<World, 'clock' | 'http' | 'secrets'>,
  endpoint: Endpoint,
  webhook: OutgoingWebhook,
): Promise<Attempt> {
  const masterKey = readMasterKey(await secrets.read('master-key'));
  const context = secretContext(endpoint);
  const signing = endpoint.sealedSecrets.map((it) => unseal(masterKey, it, context));

  const timestampSeconds = Math.floor(clock.nowMs() / SECOND_MS);
  const body = webhookBody(webhook);
  const onUnknown = webhook.onUnknown ?? endpoint.onUnknown;
  const signature = signWebhook(signing, { id: webhook.eventId, timestampSeconds, body });
  const result = await http.post({
    url: endpoint.url,
    headers: { ...webhookHeaders(webhook, timestampSeconds), 'webhook-signature': signature },
    body,
    timeoutMs: endpoint.timeoutMs,
    ...(onUnknown === 'resend' && { repeatHeaders: { 'webhook-possible-duplicate': '1' } }),
    ...(webhook.stillWanted && { stillWanted: webhook.stillWanted }),
  });
  return judge(result, clock.nowMs());
}

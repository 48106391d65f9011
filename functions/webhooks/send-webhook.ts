import { readMasterKey } from '../shared/sealed.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { type Attempt, judge } from './attempt.ts';
import type { Endpoint } from './endpoint.ts';
import { openHeaders, openSecrets } from './endpoint-sealing.ts';
import { type OutgoingWebhook, webhookBody, webhookHeaders } from './outgoing-webhook.ts';
import { withoutValues } from './sample.ts';
import { signWebhook } from './signature.ts';

/**
 * Signs a webhook with every active secret of the endpoint and sends it once, with its headers.
 * Whatever the receiver does is an `Attempt`; only a fault of our own (a secret that cannot be
 * read) throws, and then nothing was sent. Nothing is stored.
 */
export async function sendWebhook(
  { clock, http, secrets, meters }: Pick<World, 'clock' | 'http' | 'meters' | 'secrets'>,
  endpoint: Endpoint,
  webhook: OutgoingWebhook,
): Promise<Attempt> {
  const masterKey = readMasterKey(await secrets.read('master-key'));
  const nowMs = clock.nowMs();
  const signing = openSecrets(endpoint, masterKey, nowMs);
  const own = openHeaders(endpoint, masterKey);

  const timestampSeconds = Math.floor(nowMs / SECOND_MS);
  const body = webhookBody(webhook);
  const onUnknown = webhook.onUnknown ?? endpoint.onUnknown;
  const signature = signWebhook(signing, { id: webhook.eventId, timestampSeconds, body });
  const result = await http.post({
    url: endpoint.url,
    headers: {
      ...own,
      ...webhookHeaders(webhook, timestampSeconds),
      'webhook-signature': signature,
    },
    body,
    timeoutMs: endpoint.timeoutMs,
    ...(onUnknown === 'resend' && { repeatHeaders: { 'webhook-possible-duplicate': '1' } }),
    ...(webhook.stillWanted && { stillWanted: webhook.stillWanted }),
    ...(webhook.onSilence && { onSilence: webhook.onSilence }),
  });
  const attempt = judge(result, clock.nowMs());
  const { outcome, sample } = attempt;
  meters.count('tallyhook_delivery_attempts_total', { outcome });
  return sample === undefined
    ? attempt
    : { ...attempt, sample: withoutValues(sample, Object.values(own)) };
}

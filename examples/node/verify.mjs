import { createHmac, timingSafeEqual } from 'node:crypto';

const TOLERANCE_SECONDS = 5 * 60;

/**
 * Whether one of the secrets has signed this webhook (Standard Webhooks 1.0). `headers` have
 * names in lower case, as Node gives them. `body` is the bytes as they came: JSON that was parsed
 * and written again has another signature.
 */
export function verify(secrets, headers, body, nowSeconds = Date.now() / 1_000) {
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'];
  if (!id || !/^\d{1,12}$/.test(timestamp)) return false;
  if (Math.abs(nowSeconds - Number(timestamp)) > TOLERANCE_SECONDS) return false;

  // While a secret is rotated there is one signature for each: "v1,<base64> v1,<base64>".
  const signatures = (headers['webhook-signature'] ?? '').split(' ');
  return secrets.some((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
    const hmac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body);
    const expected = Buffer.from(`v1,${hmac.digest('base64')}`);
    return signatures.some((it) => isEqual(Buffer.from(it), expected));
  });
}

/** In constant time: how long it takes does not tell how much of a guess was right. */
function isEqual(given, expected) {
  return given.length === expected.length && timingSafeEqual(given, expected);
}

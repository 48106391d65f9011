import base64
import hashlib
import hmac
import re
import time

TOLERANCE_SECONDS = 5 * 60


def verify(secrets, headers, body, now=None):
    """Whether one of the secrets has signed this webhook (Standard Webhooks 1.0).

    `headers` is looked up in any case of letters. `body` is the bytes as they came: JSON that
    was parsed and written again has another signature.
    """
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not message_id or not re.fullmatch(r"[0-9]{1,12}", timestamp):
        return False
    if abs((time.time() if now is None else now) - int(timestamp)) > TOLERANCE_SECONDS:
        return False

    # While a secret is rotated there is one signature for each: "v1,<base64> v1,<base64>".
    signatures = headers.get("webhook-signature", "").encode().split(b" ")
    signed = f"{message_id}.{timestamp}.".encode() + body
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        expected = b"v1," + base64.b64encode(digest)
        # In constant time: how long it takes does not tell how much of a guess was right.
        if any(hmac.compare_digest(it, expected) for it in signatures):
            return True
    return False

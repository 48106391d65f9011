import http from 'node:http';
import { signWebhook } from '../functions/webhooks/signature.ts';

/** What a loop does that only signs and POSTs webhooks of this content, each under its own id. */
export function barePost(url: string, content: object): () => Promise<void> {
  const agent = new http.Agent({ keepAlive: true });
  const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
  const timestamp = new Date().toISOString();
  const body = Buffer.from(JSON.stringify({ id: 'evt_bare', timestamp, ...content }));
  let count = 0;
  return () => {
    count += 1;
    const id = `evt_bare${count}`;
    const timestampSeconds = Math.floor(Date.now() / 1_000);
    const headers = {
      'content-type': 'application/json',
      'content-length': body.length,
      'webhook-id': id,
      'webhook-timestamp': String(timestampSeconds),
      'webhook-signature': signWebhook([secret], { id, timestampSeconds, body }),
    };
    return new Promise((resolve, reject) => {
      const req = http.request(url, { agent, method: 'POST', headers }, (res) => {
        res.resume().on('end', resolve);
      });
      req.on('error', reject).end(body);
    });
  };
}

import { createHmac } from 'node:crypto';
import { type Body, idOf, type Walk } from './walk.ts';

const SECRET = 'shared with the sender';
const isDone = ({ status }: Body) => String(status) === 'completed';

/** A source, a webhook of its sender, one of the tenant's own, and what became of them. */
export async function walkInbox(walk: Walk): Promise<void> {
  const source = await walk.call('createSource', {
    body: { name: 'Code', scheme: 'github', secret: SECRET, maxBacklog: 100 },
  });
  const params = idOf(source);
  await walk.call('updateSource', { params, body: { ratePerSecond: 50 } });
  await walk.call('rotateSourceSecret', { params, body: { secret: SECRET, graceSeconds: 3_600 } });
  await walk.call('listSources', { until: ({ data }) => Number(data?.length) === 1 });

  const text = '{"ref":"refs/heads/main","after":"9f2c"}';
  const mac = createHmac('sha256', SECRET).update(text).digest('hex');
  const headers = {
    'content-type': 'application/json',
    'x-github-event': 'push',
    'x-hub-signature-256': `sha256=${mac}`,
  };
  const sourceParams = { sourceId: params.id };
  const received = await walk.call('receiveWebhook', { params: sourceParams, text, headers });
  const unsigned = { 'content-type': 'application/json' };
  await walk.refused('signature_invalid', 'receiveWebhook', {
    ...{ params: sourceParams, text, headers: unsigned },
  });
  await walk.call('getSource', { params, until: ({ backlog }) => Number(backlog) === 0 });

  await walk.call('getWebhook', {
    params: idOf(received),
    // Its event is relayed a moment later than it is written.
    until: (it) => isDone(it) && JSON.stringify(it.deliveries).includes('"delivered"'),
  });
  const own = await walk.call('createWebhook', {
    body: { type: 'invoice.scanned', invoiceId: 'invoice-7', pages: 3 },
  });
  await walk.setUp('getWebhook', { params: idOf(own), until: isDone });
  await walk.call('listWebhooks', {
    query: { sourceId: 'api' },
    until: ({ data }) => Number(data?.length) === 1,
  });
  await walk.call('replayWebhook', { params: idOf(received) });
  await walk.setUp('getWebhook', { params: idOf(received), until: isDone });
  await walk.call('replayFailed', { body: { sourceId: params.id } });
  await walk.call('deleteSource', { params });
}

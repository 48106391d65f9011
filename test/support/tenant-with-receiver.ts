import { type Receiver, type ReceiverOptions, startReceiver } from '../../local/receiver/server.ts';
import { type Body, newTenantOf, type TestTenant } from './api.ts';
import type { SharedCloud } from './cloud-setup.ts';

export interface TenantWithReceiver extends TestTenant {
  readonly receiver: Receiver;
  readonly endpointId: string;
  readonly secret: string;
  /** The bodies that the receiver answered with 2xx, in the order of arrival. */
  accepted(): Body[];
}

/** A fresh tenant with one endpoint, behind which a receiver listens and verifies. */
export async function tenantWithReceiver(
  { apiUrl, adminKey }: Pick<SharedCloud, 'apiUrl' | 'adminKey'>,
  endpoint: object = {},
  behaviour: ReceiverOptions = {},
): Promise<TenantWithReceiver> {
  const tenant = await newTenantOf(apiUrl, adminKey);
  const receiver = await startReceiver(behaviour);
  const { status, body } = await tenant.api.post<{ id: string; secret: string }>('/v1/endpoints', {
    url: receiver.url,
    ...endpoint,
  });
  if (status !== 201) throw new Error(`no endpoint: ${status} ${JSON.stringify(body)}`);
  receiver.trust(body.secret);
  const accepted = () =>
    receiver.received
      .filter(({ answer }) => typeof answer === 'object' && answer.status < 300)
      .map((it) => JSON.parse(it.body.toString()) as Body);
  return { ...tenant, receiver, endpointId: body.id, secret: body.secret, accepted };
}

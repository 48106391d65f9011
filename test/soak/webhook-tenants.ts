import type { LocalCloud } from '../../local/local-cloud.ts';
import { type ApiClient, newTenantOf } from '../support/api.ts';
import { COPY, KINDS, type Receivers, TWICE } from './webhook-receivers.ts';

/** A tenant of the soak, with an endpoint for each of its kinds. */
export interface SoakTenant {
  readonly tenantId: string;
  readonly api: ApiClient;
  /** Ids by kind. */
  readonly endpoints: ReadonlyMap<string, string>;
}

/**
 * Two of them. Where one receiver hangs, the share that its tenant has of the fast lane does not
 * grow, and nearly all of the soak would take the slow one: such receivers have a tenant of their
 * own.
 */
export async function openTenants(
  cloud: Pick<LocalCloud, 'apiUrl' | 'adminKey'>,
  receivers: Pick<Receivers, 'urlOf' | 'trust'>,
): Promise<readonly SoakTenant[]> {
  const all = [...Object.keys(KINDS), COPY];
  const isApart = (kind: string) => KINDS[kind]?.isApart === true;
  const groups = [all.filter((it) => !isApart(it)), all.filter(isApart)];
  const open = async (kinds: readonly string[]) => {
    const { api, tenantId } = await newTenantOf(cloud.apiUrl, cloud.adminKey);
    return { tenantId, api, endpoints: await openEndpoints(api, kinds, receivers) };
  };
  return Promise.all(groups.map(open));
}

async function openEndpoints(
  api: ApiClient,
  kinds: readonly string[],
  receivers: Pick<Receivers, 'urlOf' | 'trust'>,
): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  for (const kind of kinds) {
    const types = kind === COPY ? TWICE : [kind];
    const { body } = await api.post<{ id: string; secret: string }>('/v1/endpoints', {
      url: receivers.urlOf(kind),
      eventTypes: types.map((it) => `soak.${it}`),
      retry: { maxAttempts: 30, schedule: [1] },
      ...KINDS[kind]?.endpoint,
    });
    receivers.trust(kind, body.secret);
    ids.set(kind, body.id);
  }
  return ids;
}

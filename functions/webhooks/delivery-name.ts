import { idPart } from '../shared/ids/derive.ts';

/** What names a delivery: the event and the endpoint that it goes to. */
export interface DeliveryName {
  readonly tenantId: string;
  readonly endpointId: string;
  readonly eventId: string;
}

/** Characters of an id after its prefix. */
const PART_LENGTH = 26;

/** The id by which a tenant knows it: both of its parts, so that a read needs no index. */
export function deliveryId({ endpointId, eventId }: Omit<DeliveryName, 'tenantId'>): string {
  return `dlv_${idPart(endpointId)}${idPart(eventId)}`;
}

/** What a line of the log says, so that it is found by any of these ids. */
export function namesOf({ tenantId, endpointId, eventId }: DeliveryName) {
  return { deliveryId: deliveryId({ endpointId, eventId }), tenantId, endpointId, eventId };
}

/** The delivery that a tenant means: `deliveryId` backwards. */
export function nameOfId(tenantId: string, id: string): DeliveryName {
  const parts = idPart(id);
  return {
    tenantId,
    endpointId: `end_${parts.slice(0, PART_LENGTH)}`,
    eventId: `evt_${parts.slice(PART_LENGTH)}`,
  };
}

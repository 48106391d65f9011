import * as z from 'zod';

/** Asks for one attempt. Unknown fields are a later release's. */
const AttemptOrder = z.object({
  tenant: z.string(),
  endpoint: z.string(),
  event: z.string(),
  seq: z.int(),
  slot: z.number().optional(),
  pv: z.number().optional(),
  lane: z.literal('fast').optional(),
  body: z
    .object({
      type: z.string(),
      timestampMs: z.number(),
      data: z.string(),
      traceparent: z.string().optional(),
      hops: z.number().optional(),
    })
    .optional(),
});

/** The sweeper's form: the key of a record that is due. */
const DueOrder = z.object({ pk: z.string(), sk: z.string(), dueMs: z.number() });

/** Every message of the delivery queues. */
export const DeliveryOrder = z.union([AttemptOrder, DueOrder]);

export type DeliveryOrder = z.output<typeof DeliveryOrder>;

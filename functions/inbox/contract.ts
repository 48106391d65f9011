import { receiptRoutes, receivedEventTypes, receivingRoutes } from './receipt.contract.ts';
import { sourceRoutes } from './source.contract.ts';

/** The routes of the room, by the function that answers them: what is received is to be quick. */
export const inboxRoutesOf = {
  'inbox/api': receivingRoutes,
  'inbox/source-api': [...sourceRoutes, ...receiptRoutes],
} as const;

/** Every route of the room. */
export const inboxRoutes = Object.values(inboxRoutesOf).flat();

/** What the room tells of. */
export const inboxEventTypes = receivedEventTypes;

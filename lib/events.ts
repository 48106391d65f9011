import { Construct } from 'constructs';
import { eventRoutes } from '../functions/events/contract.ts';
import type { RoomProps } from './kit/http-api.ts';
import { apiFunction } from './kit/node-function.ts';
import { roomTable } from './kit/room-table.ts';

/** The outbox: every event, written with the fact that it tells of, and streamed to the relay. */
export class Events extends Construct {
  readonly functions;
  readonly tables;

  constructor(scope: Construct, id: string, { settings, api }: RoomProps) {
    super(scope, id);
    this.tables = {
      outbox: roomTable(this, 'Outbox', {
        name: 'outbox',
        settings,
        indexes: { listing: ['type'] },
        expires: true,
        streams: true,
      }),
    };
    const routes = apiFunction(this, 'events/api', settings);
    api.mount(routes, eventRoutes);
    this.functions = { 'events/api': routes };
  }
}

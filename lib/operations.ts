import { Construct } from 'constructs';
import { adminRoutes, operationsRoutes } from '../functions/operations/contract.ts';
import type { RoomProps } from './kit/http-api.ts';
import { apiFunction } from './kit/node-function.ts';
import { RoomTable } from './kit/room-table.ts';

/** Health, the operator's routes, and the answer to whatever no other room has. */
export class Operations extends Construct {
  readonly functions;
  readonly tables;

  constructor(scope: Construct, id: string, { settings, api }: RoomProps) {
    super(scope, id);
    this.tables = { meters: new RoomTable(this, 'Meters', { settings, indexes: {} }) };
    const routes = apiFunction(this, 'operations/api', settings);
    api.mount(routes, operationsRoutes);
    api.mountDefault(routes);
    const admin = apiFunction(this, 'operations/admin-api', settings);
    api.mount(admin, adminRoutes);
    this.functions = { 'operations/api': routes, 'operations/admin-api': admin };
  }
}

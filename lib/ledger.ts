import { Construct } from 'constructs';
import { ledgerRoutes } from '../functions/ledger/contract.ts';
import type { RoomProps } from './kit/http-api.ts';
import { apiFunction } from './kit/node-function.ts';
import { RoomTable } from './kit/room-table.ts';

/** Money: accounts and their immutable journal. */
export class Ledger extends Construct {
  readonly functions;
  readonly tables;

  constructor(scope: Construct, id: string, { settings, api }: RoomProps) {
    super(scope, id);
    this.tables = {
      ledger: new RoomTable(this, 'Ledger', {
        settings,
        indexes: { listing: [], due: [], reference: [] },
      }),
    };
    const routes = apiFunction(this, 'ledger/api', settings);
    api.mount(routes, ledgerRoutes);
    this.functions = { 'ledger/api': routes };
  }
}

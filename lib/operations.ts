import { Construct } from 'constructs';
import { operationsRoutes } from '../functions/operations/contract.ts';
import type { RoomProps } from './kit/http-api.ts';
import { apiFunction } from './kit/node-function.ts';

/** Health, and the answer to every path and method that no other room has. */
export class Operations extends Construct {
  readonly functions;

  constructor(scope: Construct, id: string, { settings, api }: RoomProps) {
    super(scope, id);
    const routes = apiFunction(this, 'operations/api', settings);
    api.mount(routes, operationsRoutes);
    api.mountDefault(routes);
    this.functions = { 'operations/api': routes };
  }
}

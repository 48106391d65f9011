import { Construct } from 'constructs';
import { docsRoutes } from '../functions/docs/contract.ts';
import type { RoomProps } from './kit/http-api.ts';
import { apiFunction } from './kit/node-function.ts';

/** The contract of the API, as a document and as a page. It has no key and touches nothing. */
export class Docs extends Construct {
  readonly functions;

  constructor(scope: Construct, id: string, { settings, api }: RoomProps) {
    super(scope, id);
    const routes = apiFunction(this, 'docs/api', settings);
    api.mount(routes, docsRoutes);
    this.functions = { 'docs/api': routes };
  }
}

import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Options } from '../functions/shared/config.ts';
import { Events } from './events.ts';
import { assertEntries, buildId, bundle } from './kit/bundle.ts';
import { grantAccess, type House } from './kit/grants.ts';
import { PlatformApi } from './kit/http-api.ts';
import { RoomTable } from './kit/room-table.ts';
import type { Settings } from './kit/settings.ts';
import { Ledger } from './ledger.ts';
import { Operations } from './operations.ts';
import { Tenants } from './tenants.ts';

export interface TallyhookProps extends StackProps {
  readonly options: Options;
}

/** All of Tallyhook: one construct per room, and then who may do what (lib/access.ts). */
export class TallyhookStack extends Stack {
  constructor(scope: Construct, id: string, { options, ...props }: TallyhookProps) {
    super(scope, id, props);
    const settings = this.#settings(options);
    const room = { settings, api: new PlatformApi(this, 'Api', settings) };

    const tenants = new Tenants(this, 'Tenants', room);
    const events = new Events(this, 'Events', room);
    const ledger = new Ledger(this, 'Ledger', room);
    const operations = new Operations(this, 'Operations', room);

    // The other rooms join as they are built.
    new RoomTable(this, 'Endpoints', { settings, indexes: { due: [] } });
    new RoomTable(this, 'Deliveries', { settings, indexes: { due: [], open: [] }, expires: true });
    new RoomTable(this, 'Files', { settings, indexes: { listing: [], due: [] } });
    grantAccess({
      functions: {
        ...tenants.functions,
        ...events.functions,
        ...ledger.functions,
        ...operations.functions,
      },
      tables: { ...tenants.tables, ...events.tables, ...ledger.tables },
      secrets: tenants.secrets,
      egress: options.egress,
    } as unknown as House);
  }

  /** Bundles the functions, unless only the template is wanted. */
  #settings(options: Options): Settings {
    const entries = ['tenants/api', 'events/api', 'ledger/api', 'operations/api'];
    const build = buildId();
    if (this.bundlingRequired) return { options, build, bundles: bundle(entries) };
    assertEntries(entries);
    return { options, build };
  }
}

import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Options } from '../functions/shared/config.ts';
import { ACCESS } from './access.ts';
import { Audit } from './audit.ts';
import { Docs } from './docs.ts';
import { Events } from './events.ts';
import { Files } from './files.ts';
import { Inbox } from './inbox.ts';
import { assertEntries, type Bundles, buildId } from './kit/bundle.ts';
import { grantAccess } from './kit/grants.ts';
import { PlatformApi } from './kit/http-api.ts';
import { Ledger } from './ledger.ts';
import { Operations } from './operations.ts';
import { Signals } from './signals.ts';
import { Tasks } from './tasks.ts';
import { Tenants } from './tenants.ts';
import { Timers } from './timers.ts';
import { Webhooks } from './webhooks.ts';

export interface TallyhookProps extends StackProps {
  readonly options: Options;
  /** Absent only where nothing is deployed: with `aws:cdk:bundling-stacks` empty. */
  readonly bundles?: Bundles;
}

/** All of Tallyhook: one construct per room, and then who may do what (lib/access.ts). */
export class TallyhookStack extends Stack {
  constructor(scope: Construct, id: string, { options, bundles, ...props }: TallyhookProps) {
    super(scope, id, props);
    if (!bundles && this.bundlingRequired) throw new Error('there are no bundles to deploy');
    assertEntries(Object.keys(ACCESS));
    const settings = { options, build: buildId(), ...(bundles && { bundles }) };
    const room = { settings, api: new PlatformApi(this, 'Api', settings) };
    // The next deployment reads it, because one without the option makes new, empty tables.
    const { restoreFrom } = options;
    if (restoreFrom !== '') new CfnOutput(this, 'RestoredFrom', { value: restoreFrom });

    const timers = new Timers(this, 'Timers', settings);
    const tenants = new Tenants(this, 'Tenants', room);
    const events = new Events(this, 'Events', room);
    const { outbox } = events.tables;
    const webhooks = new Webhooks(this, 'Webhooks', { ...room, outbox });
    const ledger = new Ledger(this, 'Ledger', { ...room, outbox });
    const files = new Files(this, 'Files', room);
    const tasks = new Tasks(this, 'Tasks', room);
    const inbox = new Inbox(this, 'Inbox', room);
    const audit = new Audit(this, 'Audit', room);
    const docs = new Docs(this, 'Docs', room);
    const operations = new Operations(this, 'Operations', room);

    const house = {
      functions: {
        ...timers.functions,
        ...tenants.functions,
        ...events.functions,
        ...webhooks.functions,
        ...ledger.functions,
        ...files.functions,
        ...tasks.functions,
        ...inbox.functions,
        ...audit.functions,
        ...docs.functions,
        ...operations.functions,
      },
      tables: {
        ...tenants.tables,
        ...events.tables,
        ...webhooks.tables,
        ...ledger.tables,
        ...files.tables,
        ...tasks.tables,
        ...inbox.tables,
        ...operations.tables,
      },
      queues: {
        ...timers.queues,
        ...webhooks.queues,
        ...ledger.queues,
        ...files.queues,
        ...tasks.queues,
        ...inbox.queues,
        ...audit.queues,
      },
      secrets: { ...tenants.secrets, ...webhooks.secrets },
      bucket: files.bucket,
      apiEndpoint: room.api.endpoint,
      parked: { ...webhooks.parked, ...ledger.parked },
      options,
    };
    grantAccess(house);
    new Signals(this, 'Signals', { ...room, ...house });
  }
}

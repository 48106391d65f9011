import { CfnOutput } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { tenantRoutes } from '../functions/tenants/contract.ts';
import { alarm, countedMetric } from './kit/alarm.ts';
import type { RoomProps } from './kit/http-api.ts';
import { apiFunction } from './kit/node-function.ts';
import { RoomSecret } from './kit/room-secret.ts';
import { roomTable } from './kit/room-table.ts';

/** Tenants, their API keys and rate-limit leases, and the secrets that guard the API. */
export class Tenants extends Construct {
  readonly functions;
  readonly tables;
  readonly secrets;

  constructor(scope: Construct, id: string, { settings, api }: RoomProps) {
    super(scope, id);
    this.tables = {
      control: roomTable(this, 'Control', {
        name: 'control',
        settings,
        indexes: { listing: [], due: [] },
        expires: true,
      }),
    };
    this.secrets = {
      'admin-key': new RoomSecret(this, 'AdminKey', {
        settings,
        description: 'Opens /v1/tenants and /v1/admin',
      }),
      'cursor-key': new RoomSecret(this, 'CursorKey', {
        settings,
        description: 'Authenticates the cursors of lists',
      }),
    };
    new CfnOutput(scope, 'AdminKeySecretName', { value: this.secrets['admin-key'].secretArn });

    const routes = apiFunction(this, 'tenants/api', settings);
    api.mount(routes, tenantRoutes);
    this.functions = { 'tenants/api': routes };
    alarm(this, 'LimitsAlone', {
      grade: 'look-tomorrow',
      metric: countedMetric(settings, 'RateLimitsAlone'),
      // One call of a database that fails is no outage.
      periods: 3,
      impact: 'Each instance keeps rate limits for itself: callers may send more than theirs.',
      runbook: 'rate-limits-are-kept-alone',
    });
  }
}

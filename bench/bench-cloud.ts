import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LocalCloud, startLocalCloud } from '../local/local-cloud.ts';
import { type JsonClient, openClient } from './json-client.ts';

export interface BenchCloud {
  readonly cloud: LocalCloud;
  readonly tenantId: string;
  /** Calls as the tenant. */
  readonly api: JsonClient;
  /** A folder for the time of the measurement. */
  readonly folder: string;
}

/** Measures on a local cloud of its own with one fresh tenant, and removes it afterwards. */
export async function withBenchCloud(measure: (bench: BenchCloud) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tallyhook-bench-'));
  const cloud = await startLocalCloud({ stateDir: join(folder, 'state') });
  try {
    const admin = openClient(cloud.apiUrl, cloud.adminKey);
    const tenant = await admin.post<{ id: string; apiKey: { key: string } }>('/v1/tenants', {
      name: 'Benchmark',
      limits: { requestsPerSecond: 10_000, burst: 20_000 },
    });
    const api = openClient(cloud.apiUrl, tenant.apiKey.key);
    await measure({ cloud, tenantId: tenant.id, api, folder });
  } finally {
    await cloud.stop();
    rmSync(folder, { recursive: true });
  }
}

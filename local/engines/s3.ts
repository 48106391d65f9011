import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import { LocalFailure } from '../failure.ts';
import { listen } from '../http/listen.ts';
import { nameOf } from '../resources.ts';
import { type BusEvent, busEvent } from '../rules.ts';
import type { CreatedEvent } from '../s3/catalog.ts';
import { s3Server } from '../s3/server.ts';
import { ObjectStore } from '../s3/store.ts';
import type { State } from '../state.ts';
import type { Resource } from '../template.ts';
import { closeServer, type Engine } from './engine.ts';

export interface S3Options {
  readonly state: State;
  /** Resolved. */
  readonly buckets: readonly Resource[];
  /** Takes the event of a new object; a rejection lets it come again. */
  readonly tell: (event: BusEvent) => Promise<void>;
}

/** Opens the buckets. The caller gives them an address with `listenS3` when they are needed. */
export function openBuckets({ state, buckets, tell }: S3Options): ObjectStore {
  if (process.env.AWS_ENDPOINT_URL_S3) {
    // Another S3 would not tell us of uploads, and files would silently never be parsed.
    throw new LocalFailure(
      'AWS_ENDPOINT_URL_S3 is set: the local cloud needs its own S3, unset it',
    );
  }
  const paths = { dir: state.path('s3'), catalogFile: state.path('s3.db') };
  const telling = buckets.filter(tellsEvents).map(nameOf);
  return new ObjectStore(paths, { all: buckets.map(nameOf), telling }, (created) =>
    tell(createdEvent(created)),
  );
}

export async function listenS3(store: ObjectStore, wantedPort: number): Promise<Engine> {
  const server: Server = s3Server(store);
  const port = await listen(server, wantedPort);
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async stop() {
      await closeServer(server);
      store.close();
    },
  };
}

function tellsEvents({ properties }: Resource): boolean {
  const { EventBridgeConfiguration } = (properties.NotificationConfiguration ?? {}) as {
    EventBridgeConfiguration?: { EventBridgeEnabled?: boolean };
  };
  return (
    Boolean(EventBridgeConfiguration) && EventBridgeConfiguration?.EventBridgeEnabled !== false
  );
}

function createdEvent({
  id,
  bucket,
  key,
  version_id,
  etag,
  bytes,
  reason,
}: CreatedEvent): BusEvent {
  return busEvent({
    'detail-type': 'Object Created',
    source: 'aws.s3',
    resources: [`arn:aws:s3:::${bucket}`],
    detail: {
      version: '0',
      bucket: { name: bucket },
      object: {
        key,
        size: bytes,
        etag,
        'version-id': version_id,
        sequencer: id.toString(16).padStart(16, '0').toUpperCase(),
      },
      'request-id': randomUUID(),
      requester: '000000000000',
      'source-ip-address': '127.0.0.1',
      reason,
    },
  });
}

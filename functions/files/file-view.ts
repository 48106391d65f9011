import type * as z from 'zod';
import type { OutboxEvent } from '../events/event.ts';
import type { PresignedPost } from '../shared/bucket.ts';
import { toInstant } from '../shared/wire.ts';
import type { File } from './file.contract.ts';
import type { AlertFile } from './file.ts';
import { FAULTS_LISTED_MAX } from './file-fault.ts';

type FileView = z.input<typeof File>;

/** What only some answers have. */
export interface Extras {
  readonly upload?: (PresignedPost & { readonly expiresAtMs: number }) | undefined;
  readonly etaMs?: number | undefined;
}

/** The file as its tenant sees it. */
export function fileView(file: AlertFile, { upload, etaMs }: Extras = {}): FileView {
  const { id, state, endpointId, createdAtMs, completedAtMs } = file;
  return {
    ...countsOf(file),
    id: id as FileView['id'],
    object: 'file',
    status: state,
    reason: file.reason,
    name: file.name,
    bytes: file.bytes,
    endpointId: endpointId as FileView['endpointId'],
    eventType: file.eventType,
    idColumn: file.idColumn,
    message: file.message,
    onUnknown: file.onUnknown,
    format: file.format,
    encoding: file.encoding,
    onMalformed: file.onMalformed,
    maxMalformedShare: file.maxMalformedShare,
    allowRepeat: file.allowRepeat,
    ratePerSecond: file.ratePerSecond,
    release: file.release,
    errorsTruncated: file.malformed > FAULTS_LISTED_MAX || undefined,
    eta: etaMs === undefined ? undefined : toInstant(etaMs),
    error: file.error,
    createdAt: toInstant(createdAtMs),
    completedAt: completedAtMs === undefined ? undefined : toInstant(completedAtMs),
    ...(upload && {
      upload: {
        method: upload.method,
        url: upload.url,
        fields: { ...upload.fields },
        expiresAt: toInstant(upload.expiresAtMs),
      },
    }),
  };
}

function countsOf(file: AlertFile) {
  const { rows, alerts, duplicates, malformed } = file;
  const { delivered, failed, uncertain, cancelled, pending } = file;
  return {
    ...{ rows, alerts, duplicates, malformed },
    ...{ delivered, failed, uncertain, cancelled, pending },
  };
}

/** What is told of a file. */
export type FileEventType =
  | 'file.ready'
  | 'file.needs_approval'
  | 'file.released'
  | 'file.paused'
  | 'file.resumed'
  | 'file.completed'
  | 'file.failed'
  | 'file.cancelled'
  | 'file.expired';

/** The event that tells of a new state of a file, or of its alerts being ready. */
export function fileEvent(
  file: AlertFile,
  type: FileEventType,
  { id, nowMs }: { readonly id: OutboxEvent['id']; readonly nowMs: number },
): OutboxEvent {
  const { endpointId, name, bytes, state, reason, error } = file;
  const data = {
    fileId: file.id,
    name,
    bytes,
    endpointId,
    status: state,
    reason,
    ...countsOf(file),
    error,
  };
  return {
    id,
    tenantId: file.tenantId,
    type,
    occurredAtMs: nowMs,
    data: JSON.stringify(data),
    traceparent: file.traceparent,
    hops: file.hops,
  };
}

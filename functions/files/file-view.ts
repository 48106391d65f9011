import type * as z from 'zod';
import type { OutboxEvent } from '../events/event.ts';
import { toInstant } from '../shared/wire.ts';
import type { PresignedPost } from '../shared/world.ts';
import type { createFileRoute } from './contract.ts';
import type { AlertFile } from './file.ts';

type FileView = z.input<(typeof createFileRoute)['reply']['schema']>;

/** The file as its tenant sees it. */
export function fileView(
  file: AlertFile,
  upload?: PresignedPost & { readonly expiresAtMs: number },
): FileView {
  const { id, state, endpointId, createdAtMs, completedAtMs } = file;
  return {
    ...countsOf(file),
    id: id as FileView['id'],
    object: 'file',
    status: state,
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

/** The event that tells of a new state of a file, or of its alerts being ready. */
export function fileEvent(
  file: AlertFile,
  type: 'file.ready' | 'file.completed' | 'file.failed' | 'file.expired',
  { id, nowMs }: { readonly id: OutboxEvent['id']; readonly nowMs: number },
): OutboxEvent {
  const { endpointId, name, bytes, state, error } = file;
  const data = {
    fileId: file.id,
    name,
    bytes,
    endpointId,
    status: state,
    ...countsOf(file),
    error,
  };
  return {
    id,
    tenantId: file.tenantId,
    type,
    occurredAtMs: nowMs,
    data: JSON.stringify(data),
  };
}

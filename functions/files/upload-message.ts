import * as z from 'zod';
import { SECOND_MS } from '../shared/units.ts';
import type { Message } from '../shared/world.ts';
import { type DroppedObject, toDrop } from './dropped-object.ts';
import type { AlertFile } from './file.ts';
import type { UploadedFile } from './parse-file.ts';

/** What EventBridge says of a new object. Keys come as they are, not URL-encoded. */
const ObjectCreated = z.object({
  detail: z.object({
    object: z.object({ key: z.string(), 'version-id': z.string().optional() }),
  }),
});

/** An object under `drop/` of which nobody has told. */
const LostDrop = z.object({ dropKey: z.string(), version: z.string().optional() });

/** The same, said by ourselves when that message got lost. */
const Reminder = z.object({ tenant: z.string(), file: z.string() });

/**
 * Decodes to the uploaded file or the dropped object, or to undefined for an object that is
 * neither.
 */
export const UploadMessage = z.union([Reminder, LostDrop, ObjectCreated]).transform((message) => {
  if ('dropKey' in message) return toDrop(message.dropKey, message.version);
  return 'detail' in message ? ofObject(message.detail) : ofReminder(message);
});

function ofReminder({ tenant, file }: z.output<typeof Reminder>): UploadedFile {
  return { tenantId: tenant, fileId: file };
}

function ofObject({
  object,
}: z.output<typeof ObjectCreated>['detail']): UploadedFile | DroppedObject | undefined {
  const drop = toDrop(object.key, object['version-id']);
  if (drop) return drop;
  const [, tenantId, fileId] = /^incoming\/(ten_\w+)\/(fil_\w+)$/.exec(object.key) ?? [];
  if (tenantId === undefined || fileId === undefined) return undefined;
  return { tenantId, fileId, objectVersion: object['version-id'] };
}

/**
 * Asks a parser to look at the upload once more, as soon as no other one can have it: a message
 * comes up to a second before its time.
 */
export function uploadReminder({ tenantId, id, leaseMs }: AlertFile): Message {
  const reminder = { body: { v: 1, tenant: tenantId, file: id }, group: tenantId };
  return leaseMs === undefined ? reminder : { ...reminder, atMs: leaseMs + SECOND_MS };
}

/** Tells of a dropped object whose own event seems to have been lost. */
export function lostDrop({ key, objectVersion, tenantId }: DroppedObject): Message {
  return { body: { v: 1, dropKey: key, version: objectVersion }, group: tenantId };
}

import * as z from 'zod';
import { isReservedType } from '../events/event.ts';
import { defineRoute, type EventTypes } from '../shared/http/route.ts';
import { GIB } from '../shared/units.ts';
import { EventType, id, messageText, PageQuery, pageOf, text } from '../shared/wire.ts';
import { actionRoutes } from './action.contract.ts';
import { listErrorsRoute } from './errors.contract.ts';
import { File, FileData } from './file.contract.ts';
import { ENCODINGS } from './file-terms.ts';
import { resultRoutes } from './result.contract.ts';

/** Quota of one upload by a form. */
const FILE_BYTES_MAX = 5 * GIB;
const COLUMNS_MAX = 65_536;

/** The types of Tallyhook itself say what Tallyhook did; an alert may be called `alert`. */
const AlertType = EventType.refine(
  (it) => it === 'alert' || !isReservedType(it),
  'is a type of Tallyhook itself',
);

const CreateFileBody = z.strictObject({
  name: text(1, 255).meta({ description: 'Goes out with each alert as `fileName`.' }),
  size: z.int().min(0).max(FILE_BYTES_MAX).meta({ description: 'Bytes of the upload, exactly.' }),
  endpointId: id('end').meta({ description: 'Where the alerts go.' }),
  eventType: AlertType.optional().meta({
    description: 'As the endpoint has it in `fileDefaults` if absent, or else `alert`.',
  }),
  idColumn: z
    .union([text(1, 200), z.int().min(1).max(COLUMNS_MAX)])
    .optional()
    .meta({
      description:
        'A name of the header line, or the number of a column from 1. As the endpoint has it in ' +
        '`fileDefaults` if absent, or else `user_id`.',
    }),
  message: messageText()
    .optional()
    .meta({
      description:
        "Goes out with each alert; `{{first_name}}` becomes the row's value of that column. As " +
        'the endpoint has it if absent.',
    }),
  onUnknown: z
    .enum(['resend', 'stop'])
    .optional()
    .meta({ description: 'After an outcome that nobody knows; as the endpoint has it if absent.' }),
  format: z.enum(['csv', 'ndjson']).optional().meta({ description: 'Found out if absent.' }),
  encoding: z.enum(ENCODINGS).optional().meta({
    description:
      'UTF-8 if absent. A byte order mark in the file wins; `utf-16` without one is found out.',
  }),
  onMalformed: z
    .enum(['ask', 'skip', 'fail'])
    .optional()
    .meta({
      description:
        'What malformed rows do: above `maxMalformedShare` the file waits for approval (`ask`), ' +
        'they are left out (`skip`), or one of them fails the file (`fail`). As the endpoint has ' +
        'it in `fileDefaults` if absent, or else `ask`.',
    }),
  maxMalformedShare: z
    .number()
    .min(0)
    .max(1)
    .refine((it) => it <= 0 || it >= 0.000_001, 'must be 0 or at least 0.000001')
    .optional()
    .meta({ description: 'Malformed rows per row; 0.05 if absent.' }),
  allowRepeat: z.boolean().optional().meta({
    description: 'Sends without asking also when the same bytes went there within a day.',
  }),
  ratePerSecond: z
    .number()
    .min(0.01)
    .max(5_000)
    .optional()
    .meta({
      description:
        'Alerts a second of this file at most, where its endpoint bears more: first alerts, and ' +
        'what `retry` sends again. The automatic retries of single users go by the limit of the ' +
        'endpoint alone, as does what was held while the endpoint was closed.',
    }),
  release: z
    .enum(['auto', 'manual'])
    .optional()
    .meta({ description: '`manual`: the file waits as `ready` until it is released.' }),
});

export const createFileRoute = defineRoute({
  method: 'POST',
  path: '/v1/files',
  summary: 'Announce a file of user ids and get the form of its upload',
  access: 'files:write',
  idempotencyKey: 'accepted',
  body: CreateFileBody,
  reply: { status: 201, schema: File },
  refusals: ['not_found', 'idempotency_key_reused'],
});

export const listFilesRoute = defineRoute({
  method: 'GET',
  path: '/v1/files',
  summary: 'Files, newest first, as they were after their last finished block',
  access: 'files:read',
  query: z.strictObject(PageQuery),
  reply: { status: 200, schema: pageOf(File) },
  refusals: ['invalid_cursor'],
});

export const getFileRoute = defineRoute({
  method: 'GET',
  path: '/v1/files/{id}',
  summary: 'One file with its counts as of the last batch',
  access: 'files:read',
  params: z.object({ id: id('fil') }),
  reply: { status: 200, schema: File },
  refusals: ['not_found'],
});

export const fileRoutes = [
  createFileRoute,
  listFilesRoute,
  getFileRoute,
  listErrorsRoute,
  ...actionRoutes,
  ...resultRoutes,
];

/** What the room tells of. */
export const fileEventTypes: EventTypes = {
  alert: {
    summary: 'One user, of a file or of POST /v1/alerts; a file may give its alerts another type',
    data: z.object({
      userId: z.string(),
      message: z.string().optional(),
      row: z.int().optional().meta({ description: 'Like fileId and fileName only of a file.' }),
      fileId: id('fil').optional(),
      fileName: z.string().optional(),
      columns: z.record(z.string(), z.string()).meta({
        description: "The row's other values, by the names of the header line; else empty.",
      }),
    }),
  },
  'file.ready': {
    summary: 'A file was read; its alerts begin, unless a person wants to release them',
    data: FileData,
  },
  'file.needs_approval': {
    summary: 'A file was read, and `reason` says why a person has to release or cancel it',
    data: FileData,
  },
  'file.released': { summary: 'A person let the alerts of a file begin', data: FileData },
  'file.paused': {
    summary: 'A file was paused, by a person or for the `reason` that stands there',
    data: FileData,
  },
  'file.resumed': { summary: 'A file goes on, or sends again what had failed', data: FileData },
  'file.completed': { summary: 'Every alert of a file has its outcome', data: FileData },
  'file.failed': { summary: 'A file could not be read; nothing of it was sent', data: FileData },
  'file.cancelled': {
    summary:
      'A file was cancelled and its workers have stopped: whom it had not reached, it will not',
    data: FileData,
  },
  'file.expired': { summary: 'The upload of a file never came', data: FileData },
};

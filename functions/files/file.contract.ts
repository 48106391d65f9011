import * as z from 'zod';
import { id } from '../shared/wire.ts';
import { FILE_REASONS, FILE_STATES } from './file.ts';
import { ENCODINGS } from './file-terms.ts';

const FileFault = z.object({
  code: z.string(),
  row: z.int().optional(),
  byte: z.int().optional(),
  detail: z.string(),
});

/** rows = alerts + duplicates + malformed; the other counts add up to the alerts. */
const counts = {
  rows: z.int(),
  alerts: z.int(),
  duplicates: z.int(),
  malformed: z.int(),
  delivered: z.int(),
  failed: z.int(),
  uncertain: z.int(),
  cancelled: z.int(),
  pending: z.int(),
};

const FileStatus = z.enum(FILE_STATES);

const Reason = z.enum(FILE_REASONS).optional().meta({
  description: 'Why it waits for a person or was ended, where no person did that.',
});

/** The folder of a dropped file may name no endpoint, and be no id: that file has failed. */
const EndpointNamed = z.templateLiteral(['end_', z.string()]).meta({
  description: 'Where its alerts go. Of a failed drop it is the folder, whatever that says.',
});

/** A file as its tenant sees it. */
export const File = z
  .object({
    id: id('fil'),
    object: z.literal('file'),
    status: FileStatus,
    reason: Reason,
    name: z.string(),
    bytes: z.int(),
    endpointId: EndpointNamed,
    eventType: z.string(),
    idColumn: z.union([z.string(), z.int()]),
    message: z.string().optional(),
    onUnknown: z.enum(['resend', 'stop']),
    format: z.enum(['csv', 'ndjson']).optional(),
    encoding: z.enum(ENCODINGS).optional(),
    onMalformed: z.enum(['ask', 'skip', 'fail']),
    maxMalformedShare: z.number(),
    allowRepeat: z.boolean(),
    ratePerSecond: z.number().optional(),
    release: z.enum(['auto', 'manual']),
    ...counts,
    errorsTruncated: z.literal(true).optional().meta({
      description: 'There are more malformed rows than are listed one by one.',
    }),
    eta: z
      .string()
      .optional()
      .meta({
        description:
          'When the last first alert goes out if all goes on as it does. Users in retry count ' +
          'like those who had no alert yet, and make it later; with nobody else left it is absent.',
      }),
    error: FileFault.optional(),
    createdAt: z.string(),
    completedAt: z.string().optional(),
    upload: z
      .object({
        method: z.literal('POST'),
        url: z.string(),
        fields: z.record(z.string(), z.string()),
        expiresAt: z.string(),
      })
      .optional()
      .meta({
        description:
          'The form of the upload, signed anew by each call, until 30 minutes after the file was ' +
          'announced. An upload that has begun by then may take six hours.',
      }),
  })
  .meta({
    id: 'File',
    description:
      'rows = alerts + duplicates + malformed; ' +
      'alerts = delivered + failed + uncertain + cancelled + pending.',
  });

/** What every event about a file says of it. */
export const FileData = z
  .object({
    fileId: id('fil'),
    name: z.string(),
    bytes: z.int(),
    endpointId: EndpointNamed,
    status: FileStatus,
    reason: Reason,
    ...counts,
    error: FileFault.optional(),
  })
  .meta({ id: 'FileData' });

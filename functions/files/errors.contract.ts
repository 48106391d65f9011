import * as z from 'zod';
import { defineRoute } from '../shared/http/route.ts';
import { id, PageQuery, pageOf } from '../shared/wire.ts';
import { ROW_FAULT_CODES } from './file-fault.ts';

const RowFault = z
  .object({
    row: z.int().meta({ description: 'The data row, counted from 1.' }),
    byte: z.int().meta({ description: 'Its first byte in the file, unpacked but as it was.' }),
    code: z.enum(ROW_FAULT_CODES),
  })
  .meta({ id: 'RowFault' });

export const listErrorsRoute = defineRoute({
  method: 'GET',
  path: '/v1/files/{id}/errors',
  summary: 'The malformed rows of a file in their order, the first 10,000 of them',
  access: 'files:read',
  params: z.object({ id: id('fil') }),
  query: z.strictObject(PageQuery),
  reply: {
    status: 200,
    schema: pageOf(RowFault).extend({
      totals: z.partialRecord(z.enum(ROW_FAULT_CODES), z.int()).meta({
        description: 'How many rows are malformed in each way, also beyond those listed.',
      }),
    }),
  },
  refusals: ['not_found', 'invalid_cursor'],
});

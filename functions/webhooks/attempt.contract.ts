import * as z from 'zod';

/** Why there was no answer. In words it is one and the same for all: this is no port scanner. */
export const AttemptError = z
  .enum(['timeout', 'reset', 'refused', 'dns', 'tls', 'url_not_allowed', 'too_many_headers'])
  .meta({ description: 'We could not reach the receiver, or got no answer that we could read.' });

/** One try, as it went. */
export const Attempt = z.object({
  n: z.number(),
  at: z.string(),
  outcome: z.enum(['delivered', 'failed', 'unknown']),
  status: z.number().optional(),
  ms: z.number().optional(),
  error: AttemptError.optional(),
  nextAt: z.string().optional(),
  possibleDuplicate: z.boolean().optional(),
  response: z.string().optional(),
});

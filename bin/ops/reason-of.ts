import * as z from 'zod';

/** Why a command could not do it, in one line: the rest of an error is for those who wrote this. */
export function reasonOf(error: unknown): string {
  const { code, address, port } = Object(error) as Record<string, unknown>;
  if (code === 'ECONNREFUSED') {
    return `nothing answers at ${address}:${port}: is the local cloud running? See --help`;
  }
  // The message of a schema is a list of JSON.
  if (error instanceof z.ZodError) {
    const faults = error.issues.map((it) => `${it.path.join('.')}: ${it.message}`).join('; ');
    return `something stored has not its form: ${faults}`;
  }
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}

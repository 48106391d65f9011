import * as z from 'zod';

/** Whether a name could not be resolved, for now or at all. */
export function isUnfound(code: unknown): boolean {
  return code === 'ENOTFOUND' || code === 'EAI_AGAIN';
}

/** Why a command could not do it, in one line: the rest of an error is for those who wrote this. */
export function reasonOf(error: unknown): string {
  // A name with more than one address fails at each of them.
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  const { code, address, port, hostname } = Object(error) as Record<string, unknown>;
  if (code === 'ECONNREFUSED') {
    return `nothing answers at ${address}:${port}: is the local cloud running? See --help`;
  }
  if (isUnfound(code)) return `the name ${hostname} is not found (${code}): is the address right?`;
  // The message of a schema is a list of JSON.
  if (error instanceof z.ZodError) {
    const faults = error.issues.map((it) => `${it.path.join('.')}: ${it.message}`).join('; ');
    return `something stored has not its form: ${faults}`;
  }
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'ResourceNotFoundException') {
    const stack = 'is it another stack (--stack), or are restored tables meant';
    return `${error.message}: ${stack} (--restored, TALLYHOOK_RESTORED)?`;
  }
  return error.message.split('\n')[0] || error.name;
}

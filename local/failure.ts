/**
 * A trouble that the person at the keyboard can act on. It is shown as one line without a stack;
 * whatever else is thrown is a bug of the local cloud and shown in full.
 */
export class LocalFailure extends Error {
  override readonly name = 'LocalFailure';
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether a system call failed with this code, for example `EADDRINUSE`. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

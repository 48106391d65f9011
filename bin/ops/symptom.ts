import { PROBLEMS, Problem } from '../../functions/shared/problem.ts';
import { NoSuchStack, NoSuchTable } from '../stack-resources.ts';
import { isUnfound, reasonOf } from './reason-of.ts';

/** One line of what `doctor` tells. */
export interface Symptom {
  readonly about: string;
  readonly seen: string;
  /** What a person has to do. Without it all is well. */
  readonly advice?: string;
}

/** A place to look at. */
export interface Look {
  readonly about: string;
  look(): Promise<readonly Symptom[]>;
}

/**
 * What cannot be looked at is what somebody is needed for. Throws only where there is no such
 * stack: its name is for whoever has typed it.
 */
export async function lookAt({ about, look }: Look): Promise<readonly Symptom[]> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof NoSuchStack) throw error;
    const reason = error instanceof Problem ? PROBLEMS[error.code].title : reasonOf(error);
    return [{ about, seen: `could not be asked: ${reason}`, advice: adviceOn(error) }];
  }
}

const DENIED = ['AccessDeniedException', 'AccessDenied', 'UnauthorizedOperation'];
const NO_CREDENTIALS = [
  'CredentialsProviderError',
  'ExpiredTokenException',
  'InvalidSignatureException',
  'UnrecognizedClientException',
];

function adviceOn(error: unknown): string {
  const { name = '', code, status } = Object(error) as Record<string, unknown>;
  if (DENIED.includes(String(name))) {
    return '"Commands" in docs/runbook.md says what it needs to be allowed: ask for what is named.';
  }
  if (NO_CREDENTIALS.includes(String(name))) {
    return 'The credentials of this shell are missing, wrong or over: get others.';
  }
  if (name === 'ResourceNotFoundException' || error instanceof NoSuchTable) {
    return (
      'Tables are not there: look at --stack, --restored and TALLYHOOK_RESTORED; ' +
      'if these are right, "Restore from a backup".'
    );
  }
  if (isUnfound(code)) {
    return 'A name is not found: look at this machine and its network, and at the address.';
  }
  if (status === 401 || status === 403) {
    return "The API does not know that key as the operator's: see TALLYHOOK_ADMIN_KEY, --api.";
  }
  return '"A function fails": what does not answer is out of order, or its address wrong.';
}

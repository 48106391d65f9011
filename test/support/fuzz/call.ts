import type { Contract } from '../../../functions/shared/http/route.ts';

/** What the sender of a request knows about the answer that it must get. */
export type Expectation =
  /** Fits the contract: the domain may refuse it, the checks of the input may not. */
  | { readonly kind: 'valid' }
  /** Has a fault: some refusal, and one of `codes` if given. */
  | { readonly kind: 'invalid'; readonly codes?: readonly string[] }
  /** Anything: it must only be answered in an orderly way. */
  | { readonly kind: 'noise' }
  /** The same request once more, which had made this object. */
  | { readonly kind: 'replay'; readonly id: unknown };

/** One request of the fuzzer. */
export interface FuzzCall {
  readonly contract: Contract;
  readonly expected: Expectation;
  /** How it came about, for the report. */
  readonly what: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

/** The status of an answer that did not come, or only in part. */
export const NO_ANSWER = 0;

/** What came back. */
export interface FuzzAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** The route as API Gateway writes it. */
export function routeKey({ method, path }: Contract): string {
  return `${method} ${path}`;
}

import type * as z from 'zod';
import type { ProblemCode } from '../problem.ts';

/** What a tenant's key may be allowed. Writing does not imply reading. */
export const SCOPES = [
  'ledger:read',
  'ledger:write',
  'events:read',
  'events:write',
  'webhooks:read',
  'webhooks:write',
  'files:read',
  'files:write',
  'tasks:read',
  'tasks:write',
  'inbox:read',
  'inbox:write',
  'keys:read',
  'keys:write',
  'audit:read',
  'audit:write',
] as const;

export type Scope = (typeof SCOPES)[number];

/**
 * Who may call a route: a tenant's key with this scope, any key of a tenant (`tenant`), only the
 * admin key (`admin`), or everybody (`public`).
 */
export type Access = Scope | 'tenant' | 'admin' | 'public';

/** One row of a room's route table: mounting, scopes and checks are derived from it. */
export interface Contract {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** As API Gateway writes it: `/v1/accounts/{id}`. */
  readonly path: string;
  readonly summary: string;
  readonly access: Access;
  /** Whether the route heeds an Idempotency-Key. */
  readonly idempotencyKey?: 'required' | 'accepted';
  /** Amounts in the body are read exactly: a number must be written as an integer. */
  readonly movesMoney?: true;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** A request without a body and a content type is one with `{}`, which the schema takes. */
  readonly mayLackBody?: true;
  /** Any bytes are a body, whatever they say they are: nobody reads them as JSON. */
  readonly takesBytes?: true;
  /** A larger body is refused; 256 KB when absent. */
  readonly bodyKbMax?: number;
  readonly reply: {
    readonly status: number;
    /** Of answers that succeed as well, but in another way; with the same schema. */
    readonly otherStatuses?: readonly number[];
    readonly schema: z.ZodType;
    /** When the body is sent as it is, text or bytes, and not as JSON. */
    readonly contentType?: string;
  };
  readonly refusals?: readonly ProblemCode[];
}

/** What Tallyhook itself tells of: by event type, what has happened and what `data` holds. */
export type EventTypes = Readonly<
  Record<string, { readonly summary: string; readonly data: z.ZodType }>
>;

/** Keeps the exact types of the row. */
export function defineRoute<const Row extends Contract>(row: Row): Row {
  return row;
}

type Output<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

export interface IdempotencyKey {
  readonly key: string;
  /** Equal for equal requests: see fingerprint.ts. */
  readonly fingerprint: string;
}

type TenantOf<Of extends Access> = Of extends 'admin' | 'public' ? undefined : string;

/** A request that was authenticated, checked and decoded. */
export interface Call<Row extends Contract> {
  readonly tenantId: TenantOf<Row['access']>;
  /** Of the calling key; a tenant's routes have one. */
  readonly keyId?: string | undefined;
  /** Whether the calling key has this scope besides: a body may ask for more than the route. */
  allows(scope: Scope): boolean;
  /** How many events the tenant may send a day; undefined: as many as it likes. */
  readonly dailyEvents?: number | undefined;
  readonly params: Output<Row['params']>;
  readonly query: Output<Row['query']>;
  readonly body: Output<Row['body']>;
  /** The exact text of a top-level member of the body. */
  memberText(name: string): string | undefined;
  /** The body as it was sent. */
  bytes(): Uint8Array;
  /** The body with each number as it was written: see fingerprint.ts. */
  exactBody(): unknown;
  readonly idempotency: IdempotencyKey | undefined;
  readonly requestId: string;
  /** A header of the request, by its lower-case name. */
  header(name: string): string | undefined;
  /** The client's, as API Gateway takes it from the connection. */
  readonly address: string;
  /** Method and path as they were called. */
  readonly method: string;
  readonly path: string;
  readonly traceparent: string | undefined;
  /** How many webhooks in a row have led to this request, which is not refused as a loop. */
  readonly hops: number;
}

export interface Answer<Body> {
  readonly body: Body;
  /** When it is not the status of the contract. */
  readonly status?: number;
  /** The object was made by an earlier request with the same key. */
  readonly replayed?: boolean;
  /** Beside those that every answer has, or instead of them; lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A contract with the code behind it. */
export interface Route<Needs> {
  readonly contract: Contract;
  answer(call: Call<Contract>, world: Needs): Promise<Answer<unknown>>;
}

/** Binds a use case to its row. The reply's schema is an allow-list of what leaves. */
export function route<Row extends Contract, Needs>(
  contract: Row,
  answer: (call: Call<Row>, world: Needs) => Promise<Answer<z.input<Row['reply']['schema']>>>,
): Route<Needs> {
  // The shell decodes each call by this very contract before it hands it over.
  return { contract, answer: answer as unknown as Route<Needs>['answer'] };
}

import type { ZodOpenApiResponseObject, ZodOpenApiResponsesObject } from 'zod-openapi';
import type { Contract } from '../../../functions/shared/http/route.ts';
import { PROBLEMS, type ProblemCode } from '../../../functions/shared/problem.ts';
import type { Examples } from './examples.ts';
import { byStatus, refusalsOf } from './refusals.ts';
import type { Operation } from './route-table.ts';
import { headers } from './shared-parts.ts';

/** How a route refuses, by status. A status with a single code refers to `soleRefusals`. */
export function refusedAnswers(contract: Contract, examples: Examples): ZodOpenApiResponsesObject {
  const answers = [...byStatus(refusalsOf(contract))].map(([status, codes]) => {
    const [code, ...others] = codes;
    const sole = code && others.length === 0;
    return [status, sole ? { $ref: referenceTo(code) } : answerOf(codes, examples)] as const;
  });
  return Object.fromEntries(answers);
}

/** The answers of codes that are the only one of their status on some route: most are. */
export function soleRefusals(
  operations: readonly Operation[],
  examples: Examples,
): Record<string, ZodOpenApiResponseObject> {
  const sole = operations.flatMap(({ contract }) =>
    [...byStatus(refusalsOf(contract)).values()].filter(({ length }) => length === 1).flat(),
  );
  const codes = (Object.keys(PROBLEMS) as ProblemCode[]).filter((it) => sole.includes(it));
  return Object.fromEntries(codes.map((it) => [nameOf(it), answerOf([it], examples)]));
}

/** `not_found` is NotFound. */
function nameOf(code: ProblemCode): string {
  return code.replaceAll(/(^|_)(\w)/g, (_all, _mark, letter) => letter.toUpperCase());
}

function referenceTo(code: ProblemCode): `#/components/responses/${string}` {
  return `#/components/responses/${nameOf(code)}`;
}

function answerOf(codes: readonly ProblemCode[], { refusals }: Examples): ZodOpenApiResponseObject {
  const statuses = new Set(codes.map((it) => PROBLEMS[it].status as number));
  const known = codes.filter((it) => refusals[it] !== undefined);
  const ofCodes = { type: 'object' as const, properties: { code: { enum: [...codes] } } };
  return {
    description: codes.map((it) => `\`${it}\`: ${PROBLEMS[it].title}.`).join('\n\n'),
    headers: headers(
      'X-Request-Id',
      ...(statuses.has(401) ? (['WWW-Authenticate'] as const) : []),
      ...(statuses.has(429) || statuses.has(503) ? (['Retry-After'] as const) : []),
    ),
    content: {
      'application/problem+json': {
        schema: { allOf: [{ $ref: '#/components/schemas/Problem' }, ofCodes] },
        ...(known.length > 0 && {
          examples: Object.fromEntries(
            known.map((it) => [it, { $ref: `#/components/examples/${it}` }]),
          ),
        }),
      },
    },
  };
}

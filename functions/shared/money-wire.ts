import * as z from 'zod';
import { CURRENCY_FORM, CURRENCY_FORM_FAULT, currencyFault } from './currencies.ts';
import { AMOUNT_FAULT } from './wire.ts';

/**
 * Minor units: a string of digits, or a JSON integer that is exact. Decoded to a bigint. A wrong
 * value is refused with `invalid_amount`, a missing one with `validation_failed`.
 */
export const Amount = z
  .union(
    [
      z.string().regex(/^([1-9]\d{0,17}|10{18})$/, AMOUNT_FAULT),
      z.int(AMOUNT_FAULT).positive(AMOUNT_FAULT),
    ],
    AMOUNT_FAULT,
  )
  .transform((it) => BigInt(it))
  .meta({ description: 'Integer minor units, 1 to 10^18, as a string.' });

/** A balance that is asked for, such as a limit: signed minor units below 10^30, to a bigint. */
export const Balance = z
  .string()
  .regex(/^(0|-?[1-9]\d{0,29})$/, 'must be signed minor units of at most 30 digits, as a string')
  .transform((it) => BigInt(it))
  .meta({ description: 'Signed integer minor units of at most 30 digits, as a string.' });

/** A current ISO 4217 code that has a minor unit, or a tenant asset with its decimals. */
export const Currency = z
  .string()
  .regex(CURRENCY_FORM, { error: CURRENCY_FORM_FAULT, abort: true })
  .superRefine((it, context) => {
    const fault = currencyFault(it);
    if (fault !== undefined) context.addIssue(fault);
  })
  .meta({
    description: 'ISO 4217 code, or a tenant asset: its name and its decimals.',
    examples: ['EUR', 'XYZ/6'],
  });

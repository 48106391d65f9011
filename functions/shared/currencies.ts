/**
 * ISO 4217 List One: that of 2024-06-25 with all amendments up to number 180, in force since
 * 2026-01-01 (out: ANG, CUC, BGN; in: XCG, XAD). It has 178 codes, as the list of 2026-09-17 has.
 * Source: SIX, the maintenance agency. `Intl` is none: it rounds a dozen currencies to whole units.
 *
 * A code that ISO withdraws later stays here: the accounts that have it would be locked otherwise.
 */
const WITH_DECIMALS: Readonly<Record<number, string>> = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  2: `AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD
    CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP
    GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD
    MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP
    PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT
    TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG`,
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
};

/** ISO names them without a minor unit, so that nobody could tell what an integer of them means. */
const WITHOUT_MINOR_UNIT = codesIn('XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX');

/** How many decimals the minor unit of each current ISO 4217 currency has. */
export const ISO_DECIMALS: ReadonlyMap<string, number> = new Map(
  Object.entries(WITH_DECIMALS).flatMap(([decimals, codes]) =>
    codesIn(codes).map((code) => [code, Number(decimals)] as const),
  ),
);

/** The form of a currency: a code of ISO 4217, or a tenant's own asset with its decimals. */
export const CURRENCY_FORM = /^([A-Z]{3}|[A-Z][A-Z0-9]{1,16}\/(\d|1[0-8]))$/;

/** What a currency has to be, for whoever wrote something else. */
export const CURRENCY_FORM_FAULT =
  'must be an ISO 4217 code such as EUR, or a tenant asset such as XYZ/6: ' +
  'a name of 2 to 17 capital letters and digits, and 0 to 18 decimals';

/** A currency as people read it: its name, and how many decimals its minor unit has. */
export interface Unit {
  readonly name: string;
  readonly decimals: number;
}

/** Why text of the right form is no currency; undefined when it is one. */
export function currencyFault(currency: string): string | undefined {
  const [name = '', decimals] = currency.split('/');
  return decimals === undefined ? codeFault(name) : assetFault(name);
}

/** The unit of a currency that was accepted once. Anything else is a bug of the caller. */
export function unitOf(currency: string): Unit {
  const [name = '', suffix] = currency.split('/');
  const decimals = suffix === undefined ? ISO_DECIMALS.get(name) : Number(suffix);
  if (decimals === undefined) throw new Error(`${currency} is not a currency`);
  return { name, decimals };
}

function codeFault(code: string): string | undefined {
  if (ISO_DECIMALS.has(code)) return undefined;
  return WITHOUT_MINOR_UNIT.includes(code)
    ? `${code} has no minor unit in ISO 4217: use a tenant asset with decimals, such as ${code}/6`
    : `${code} is no current ISO 4217 code: a tenant asset has decimals, such as ${code}/2`;
}

/** Else one currency would be two, and money of the one could never pay for the other. */
function assetFault(name: string): string | undefined {
  const decimals = ISO_DECIMALS.get(name);
  if (decimals === undefined) return undefined;
  const known = `${name} is an ISO 4217 code with ${decimals} decimals`;
  return `${known}: write ${name}, or name the asset otherwise`;
}

function codesIn(text: string): string[] {
  return text.split(/\s+/);
}

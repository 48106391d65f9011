const SLOW = 'it waits for time-outs, or asks for more requests a second than the emulator serves';
const TEXT = 'the emulator hands on a body with its invalid UTF-8 replaced; API Gateway leaves it';
const PATHS = 'the emulator decodes and tidies a path before it looks for its route';
const FOLDER = 'only the local cloud watches a folder';
const UNSIGNED = 'the emulator checks no signature, and so reads any policy of an upload form';
const OPTIONS = 'the emulator answers OPTIONS by itself';

/** Whole files of journeys that do not run against the emulator, and why. */
export const FILES_LEFT_OUT: Readonly<Record<string, string>> = {
  'test/journeys/egress.test.ts': 'it starts a local cloud of its own',
  'test/journeys/docs-examples.test.ts': 'it compares with what the local cloud answered',
  'test/journeys/fairness.test.ts': SLOW,
  'test/journeys/support.test.ts': 'it reads the log of the local cloud',
  'test/journeys/fuzz.test.ts': 'the emulator has no StartMessageMoveTask',
};

/** Tests that do not pass there, by the end of their name, and why. */
export const TESTS_LEFT_OUT: Readonly<Record<string, string>> = {
  'a byte that is never UTF-8': TEXT,
  'half of a character': TEXT,
  'an overlong NUL': TEXT,
  'a surrogate in UTF-8': TEXT,
  'a character above U+10FFFF': TEXT,
  'Latin-1': TEXT,
  'kept as they are: text that is no UTF-8': TEXT,
  'a body in chunks is counted like any other': 'the emulator does not read chunks',
  '..%2Facc_00000000000000000000000000': PATHS,
  'acc_00000000000000000000000000%2F': PATHS,
  '> %2e%2e%2f': PATHS,
  '> //v1/accounts is not_found': PATHS,
  '> /v1%2Faccounts is not_found': PATHS,
  '> /v1/accounts%2F is not_found': PATHS,
  '> /v1/account%73 is not_found': PATHS,
  '/..%2f..%2fetc%2fpasswd is not_found': PATHS,
  '> OPTIONS': OPTIONS,
  'does not ask for a key to say that a path leads nowhere': OPTIONS,
  '> a method that nobody has': SLOW,
  '> another protocol': SLOW,
  '> small letters for a method': SLOW,
  'a file that is put into the folder `drop/` becomes alerts, and leaves it': FOLDER,
  'takes nothing but what was announced > another policy': UNSIGNED,
  'tells a key its limit, refuses above it, and lets it on again': SLOW,
};

import { Code } from 'aws-cdk-lib/aws-lambda';
import type { Options } from '../../functions/shared/config.ts';
import type { Entry } from '../access.ts';
import type { Bundles } from './bundle.ts';

/** What every room is built with. */
export interface Settings {
  readonly options: Options;
  /** The build that the functions say they are. */
  readonly build: string;
  /** Absent when only the template is wanted, as in tests of the stack. */
  readonly bundles?: Bundles;
}

/** The code of a function. Without bundles it is a line that cannot be mistaken for it. */
export function codeOf(entry: Entry, { bundles }: Settings): Code {
  if (!bundles) return Code.fromInline(`throw new Error('${entry} was not bundled')`);
  const bundle = bundles[entry];
  if (!bundle) throw new Error(`${entry} has no bundle`);
  return Code.fromAsset(bundle.folder);
}

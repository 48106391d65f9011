import { assertDataFits } from '../events/event-draft.ts';
import type { Call } from '../shared/http/route.ts';
import { memberTexts } from '../shared/http/strict-json.ts';
import { Problem } from '../shared/problem.ts';
import type { createTaskRoute } from './contract.ts';
import type { TaskAction } from './task.ts';

type ActionBody = Call<typeof createTaskRoute>['body']['action'];

/** What a request shows of its action, and of who asks for it. */
export type ActionCall = Pick<Call<typeof createTaskRoute>, 'memberText' | 'allows'>;

/**
 * The action with its exact texts. Refuses with `forbidden_scope` what the calling key may not do
 * now, and so may not have done for it later, and with `payload_too_large` data above 64 KB.
 */
export function draftAction(action: ActionBody, { memberText, allows }: ActionCall): TaskAction {
  const scope = action.type === 'event' ? 'events:write' : 'ledger:write';
  if (!allows(scope)) {
    throw new Problem('forbidden_scope', {
      detail: `A task of the type ${action.type} needs a key with the scope ${scope} as well.`,
    });
  }
  const texts = memberTexts(memberText('action') ?? '{}');
  if (action.type === 'transaction') {
    return { type: 'transaction', transaction: texts.get('transaction') ?? '{}' };
  }
  const { type, eventType } = action;
  const data = texts.get('data') ?? 'null';
  assertDataFits({ type: eventType, data }, '/action');
  return { type, eventType, data };
}

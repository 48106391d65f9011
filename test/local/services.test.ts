import { expect, it, onTestFinished } from 'vitest';
import { openApi } from '../../local/services.ts';
import { Undo } from '../../local/undo.ts';

it('says that it is starting until there is somebody to answer', async () => {
  const undo = new Undo();
  onTestFinished(() => undo.run());
  const api = await openApi(0, undo);
  const early = await fetch(api.url);
  expect([early.status, early.headers.get('retry-after')]).toEqual([503, '1']);
  expect(await early.json()).toEqual({
    message: 'Service Unavailable: the local cloud is starting',
  });
  api.answerBy((_, response) => response.end('here'));
  expect(await (await fetch(api.url)).text()).toBe('here');
});

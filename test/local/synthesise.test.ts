import { expect, it } from 'vitest';
import { optionsFrom } from '../../local/synthesise.ts';

it('takes each option of the deployment from its variable', () => {
  const env = { TALLYHOOK_LOG_LEVEL: 'warn', TALLYHOOK_EGRESS: 'public', HOME: 'x' };
  expect(optionsFrom(env, 'loopback')).toEqual({ egress: 'loopback', logLevel: 'warn' });
});

it('leaves the variables of the operator alone', () => {
  const names = ['ADMIN_KEY', 'API', 'RESTORED', 'STACK'];
  const env = Object.fromEntries(names.map((it) => [`TALLYHOOK_${it}`, 'Tallyhook-prod']));
  expect(optionsFrom(env, 'public')).toEqual({ egress: 'public' });
});

it('refuses restored tables, which are for AWS', () => {
  expect(() => optionsFrom({ TALLYHOOK_RESTORE_FROM: 'x' }, 'public')).toThrow('for AWS');
});

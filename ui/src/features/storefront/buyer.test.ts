import { describe, expect, it } from 'vitest';
import { cleaned, faults } from './buyer';

const buyer = (more = {}) => ({ name: '林小姐', phone: '13800138000', address: '杭州', ...more });

describe('the buyer', () => {
  it('is taken as the shop takes it', () => {
    for (const phone of ['13800138000', '+86 138-0013-8000', '(030) 123456', '１３８００１３８０００', ' 138 0013 8000 ']) {
      expect(faults(buyer({ phone })), phone).toEqual({});
    }
    for (const phone of ['1234', 'call me', '12345678901234567', '138#0013']) {
      expect(faults(buyer({ phone })), phone).toEqual({ phone: 'format' });
    }
  });

  it('has one fault a field', () => {
    expect(faults({ name: ' ', phone: '', address: '\t' })).toEqual({ name: 'empty', phone: 'empty', address: 'empty' });
    expect(faults(buyer({ name: '林'.repeat(65), address: '杭'.repeat(201) }))).toEqual({ name: 'too_long', address: 'too_long' });
    expect(faults(buyer({ name: 'a\u202Eb' }))).toEqual({ name: 'control' });
    expect(faults(buyer({ address: '一号\n二楼', name: '<b>林</b>' }))).toEqual({});
  });

  it('is sent without what the keyboard added', () => {
    expect(cleaned(buyer({ name: ' 林 ', phone: '＋８６ １３８' }))).toEqual({ name: '林', phone: '+86 138', address: '杭州' });
  });
});

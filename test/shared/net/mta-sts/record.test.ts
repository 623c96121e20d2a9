import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseRecordId } from '../../../../shared/net/mta-sts/record.ts'

describe('parseRecordId', () => {
  const rows: [records: string[], id: string | null][] = [
    [['v=STSv1; id=20160831085700Z;'], '20160831085700Z'],
    [['v=STSv1; id=20160831085700Z'], '20160831085700Z'],
    [['v=STSv1;id=1'], '1'],
    [['v=STSv1 ;\tid=a1 ; '], 'a1'],
    [['v=STSv1; else=b; id=a1'], 'a1'],
    [['v=STSv1; id=a1; id=b2'], 'a1'],
    [['v=STSv1; id=a1; ID=b2'], 'a1'],
    [['v=spf1 -all', 'v=STSv1; id=a1', 'verification 17'], 'a1'],
    [[], null],
    [['v=STSv1; id=a1', 'v=STSv1; id=a1'], null],
    [['v=STSv1; id=a1', 'v=STSv1; broken'], null],
    [['v=STSv1'], null],
    [['v=STSv1;'], null],
    [['v=STSv1; else=b'], null],
    [['v=stsv1; id=a1'], null],
    [['v=STSv2; id=a1'], null],
    [['v=STSv12; id=a1'], null],
    [[' v=STSv1; id=a1'], null],
    [['id=a1; v=STSv1'], null],
    [['v=STSv1; ID=a1'], null],
    [['v=STSv1; id='], null],
    [['v=STSv1; id=a-1'], null],
    [['v=STSv1; id=a 1'], null],
    [[`v=STSv1; id=${'9'.repeat(32)}`], '9'.repeat(32)],
    [[`v=STSv1; id=${'9'.repeat(33)}`], null],
    [['v=STSv1; id=a1;;'], null],
    [['v=STSv1; id=a1; broken'], null],
    [['v=STSv1; id=a1; =b'], null],
    [['v=STSv1; id=a1; b=c=d'], null],
    [['v=STSv1; id=a1; b=ü'], null],
    [[`v=STSv1; id=a1; ${'b'.repeat(33)}=c`], null],
  ]
  for (const [records, id] of rows)
    it(`returns ${id === null ? 'null' : `the id ${id}`} for the TXT records ${JSON.stringify(records)}`, () =>
      assert.equal(parseRecordId(records), id))

  it('returns a valid id or null for any TXT records', () => {
    const field = fc.constantFrom('v=STSv1', 'id', '=', ';', ' ', 'a1', '\t', 'ü', 'id=b2')
    const text = fc.array(field, { maxLength: 12 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.array(fc.oneof(text, fc.string()), { maxLength: 3 }), (records) => {
        const id = parseRecordId(records)
        assert.ok(id === null || /^[A-Za-z0-9]{1,32}$/.test(id))
      }),
    )
  })

  it('returns null for TXT records of the maximum size that have no id', () => {
    assert.equal(parseRecordId([`v=STSv1;${' '.repeat(65_000)}x`, `v=STSv1${' '.repeat(65_000)}`]), null)
  })
})
